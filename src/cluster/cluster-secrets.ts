import type { SecretSource } from '../controller/sources.js';
import { deriveSource } from './derive-source.js';
import { reportFaults, type ObjectFault, type OnObjectFaults } from './object-fault.js';
import { currentObject, formatKey, type NamedObject } from './object-source.js';
import { secretText } from './secret-text.js';

const dockerConfig = '.dockerconfigjson';

/** The cluster's pull secret: `null` when there is none, or when it has no `.dockerconfigjson`, which is a fault. */
export function clusterPullSecret(secret: NamedObject, onFaults: OnObjectFaults): SecretSource {
  const reading = deriveSource([secret.objects], () => {
    const object = currentObject(secret);
    if (object === undefined) return undefined;
    const text = object === null ? undefined : secretText(object, dockerConfig);
    const fault: ObjectFault = {
      object: `Secret ${formatKey(secret.key)}`,
      path: `data["${dockerConfig}"]`,
      message: 'expected the credentials of the registries, found none; none are rendered',
    };
    return { text: text ?? null, faults: object !== null && text === undefined ? [fault] : [] };
  });
  reportFaults(
    deriveSource([reading], () => reading.current()?.faults),
    onFaults,
  );
  return deriveSource([reading], () => reading.current()?.text);
}
