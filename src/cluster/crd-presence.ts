import { ApiError } from './api-error.js';
import type { KubeClient } from './kube-client.js';
import { groupOf, resources, type ApiResource } from './kube-object.js';

/**
 * Finds out what a 404 for a whole kind means. The API server gives it for a kind that is not installed, and also while
 * it starts, for custom resources whose definition it has not loaded yet: taken for "there are none", that would take
 * every mirror off every node.
 *
 * Resolves when the kind is known not to be installed: its CustomResourceDefinition is not there either.
 *
 * @param error the 404
 * @throws {ApiError} the kind is there, or it cannot be found out
 */
export async function confirmNotInstalled(
  client: Pick<KubeClient, 'get'>,
  resource: ApiResource,
  error: ApiError,
): Promise<void> {
  if (isBuiltIn(resource)) throw error;
  const name = `${resource.plural}.${groupOf(resource)}`;
  const definition = await client.get(resources.customResourceDefinitions, { name });
  if (definition === undefined) return;
  throw new ApiError(
    'server',
    `list ${resource.plural}: CustomResourceDefinition ${name} is there, but ${resource.apiVersion} is not served (yet)`,
    { cause: error },
  );
}

/** Kinds of the API server itself have no definition that one could ask for. */
function isBuiltIn(resource: ApiResource): boolean {
  const group = groupOf(resource);
  return group === '' || group.endsWith('.k8s.io');
}
