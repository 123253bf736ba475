// Classify objects that a program has in memory. Run it: node --import tsx examples/objects-in-memory.ts
import { classifyObjects, openModel } from 'lcclf'

// without a reference: LCCLF_MODEL, the model that lcclf.lock pins, or the sample model of the package
const model = await openModel()
try {
  const missing = Object.fromEntries(model.features.map((feature) => [feature, null]))
  const objects = await classifyObjects(model, [
    { oid: 'ZTF18aaaaaaa', features: { ...missing, 'W1-W2': 0.9, 'g-r_mean': 0.4 } },
    { oid: 'ZTF18aaaaaab', features: missing },
  ])
  for (const { oid, class: name, probability } of objects) console.log(`${oid} ${name} ${probability.toFixed(3)}`)
} finally {
  await model.close()
}
