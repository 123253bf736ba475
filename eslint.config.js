// What readers cannot see: floating promises, switches that forget a case. Style is the formatter's, rooms are test/house.test.ts's.
import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/', 'src/model/forest/kernel/assembly/', '.cache/'] },
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'scripts/**/*.ts'],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      // a file is as long as its subject; beyond this it probably has two
      'max-lines': ['warn', 400],
    },
  },
  {
    // stdout is data and stderr is people: only the command line prints
    files: ['src/**/*.ts'],
    ignores: ['src/terminal/**', 'src/jobs/**', 'src/commands/**'],
    rules: { 'no-console': 'error' },
  },
)
