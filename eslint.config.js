// What readers cannot see: floating promises, switches that forget a case. Style is the formatter's, rooms are test/house.test.ts's.
import regexp from 'eslint-plugin-regexp'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/', 'src/model/forest/kernel/assembly/', '.cache/', 'python/'] },
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
    // a pattern that goes back over what it has read takes minutes on a text that was made for it
    files: ['src/**/*.ts'],
    plugins: { regexp },
    rules: {
      'regexp/no-super-linear-backtracking': 'error',
      'regexp/no-super-linear-move': ['error', { report: 'certain' }],
    },
  },
  {
    // stdout is data and stderr is people: only the command line prints
    files: ['src/**/*.ts'],
    ignores: ['src/terminal/**', 'src/jobs/**', 'src/commands/**'],
    rules: { 'no-console': 'error' },
  },
)
