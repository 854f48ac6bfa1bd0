/** Calls of the API that a right may be missing for. */
import { ResourceError } from '../../common/errors.ts';
import { isMissingRight } from '../../runtime/kube/errors.ts';
import type { Resource } from '../../runtime/kube/resource.ts';

/** Throws ResourceError that names the rule, when it is the right that is missing. */
export async function permitted<T>(
  verb: string,
  resource: Resource,
  namespace: string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isMissingRight(error)) throw error;
    const where = namespace === undefined ? 'in any namespace' : `in namespace ${JSON.stringify(namespace)}`;
    const what = resource.namespaced ? `${resource.plural} ${where}` : resource.plural;
    const rule = { apiGroups: [resource.group], resources: [resource.plural], verbs: RULES[resource.plural] };
    throw new ResourceError(
      'MissingPermission',
      `the provider may not ${verb} ${what}; its ServiceAccount needs the rule ${JSON.stringify(rule)}, e.g. from examples/install`,
      { cause: error },
    );
  }
}

/** All that is done with each kind, so that one edit of a role is enough. */
export const RULES: Record<string, readonly string[]> = {
  jobs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
  cronjobs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
  pods: ['list'],
  // For configurations that allow namespaces by their labels.
  namespaces: ['get'],
  secrets: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
};
