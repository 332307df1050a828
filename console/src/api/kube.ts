// SPDX-License-Identifier: Apache-2.0
// The Kubernetes REST API: typed resources, and the five verbs that the console uses.
import { ApiError, json, request } from './http';
import type * as k from './types';

export interface Resource<T> {
  path: string; // /api/v1 or /apis/GROUP/VERSION
  plural: string;
  apiVersion: string;
  kind: string;
  namespaced: boolean;
  readonly _type?: T;
}

export function resource<T>(apiVersion: string, kind: string, plural: string, namespaced = false): Resource<T> {
  const path = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return { path, plural, apiVersion, kind, namespaced };
}

const DRUN = 'drun.io/v1';
const RBAC = 'rbac.authorization.k8s.io/v1';

export const controls = resource<k.Control>(DRUN, 'Control', 'controls');
export const models = resource<k.Model>(DRUN, 'Model', 'models', true);
export const modelServices = resource<k.ModelService>(DRUN, 'ModelService', 'modelservices', true);
export const apiKeys = resource<k.ApiKey>(DRUN, 'ApiKey', 'apikeys', true);
export const users = resource<k.User>(DRUN, 'User', 'users');
export const groups = resource<k.Group>(DRUN, 'Group', 'groups');
export const oidcClients = resource<k.OidcClient>(DRUN, 'OidcClient', 'oidcclients');
export const trustedIssuers = resource<k.AnyObject>(DRUN, 'TrustedIssuer', 'trustedissuers');
export const identityProviders = resource<k.IdentityProvider>(DRUN, 'IdentityProvider', 'identityproviders');
export const limitPolicies = resource<k.LimitPolicy>(DRUN, 'LimitPolicy', 'limitpolicies', true);
export const serviceAccounts = resource<k.AnyObject>('v1', 'ServiceAccount', 'serviceaccounts', true);
export const namespaces = resource<k.Namespace>('v1', 'Namespace', 'namespaces');
export const clusterRoles = resource<k.Role>(RBAC, 'ClusterRole', 'clusterroles');
export const roles = resource<k.Role>(RBAC, 'Role', 'roles', true);
export const clusterRoleBindings = resource<k.RoleBinding>(RBAC, 'ClusterRoleBinding', 'clusterrolebindings');
export const roleBindings = resource<k.RoleBinding>(RBAC, 'RoleBinding', 'rolebindings', true);

export function urlOf<T>(r: Resource<T>, namespace?: string, name?: string): string {
  const scope = r.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${r.path}${scope}/${r.plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

/** Every object of a kind, page by page; of one namespace if it is named. */
export async function list<T>(r: Resource<T>, namespace?: string, signal?: AbortSignal): Promise<T[]> {
  const items: T[] = [];
  let next = '';
  do {
    const query = new URLSearchParams({ limit: '500', ...(next && { continue: next }) });
    const page = await json<k.List<T>>(`${urlOf(r, namespace)}?${query}`, { signal });
    items.push(...page.items);
    next = page.metadata.continue ?? '';
  } while (next !== '');
  return items;
}

export function get<T>(r: Resource<T>, name: string, namespace?: string, signal?: AbortSignal): Promise<T> {
  return json<T>(urlOf(r, namespace, name), { signal });
}

type Draft<T> = { metadata: Partial<k.Meta> } & Omit<Partial<T>, 'metadata' | 'status' | 'apiVersion' | 'kind'>;

export function create<T>(r: Resource<T>, draft: Draft<T>): Promise<T> {
  const namespace = draft.metadata.namespace;
  return json<T>(urlOf(r, namespace), { method: 'POST', body: { apiVersion: r.apiVersion, kind: r.kind, ...draft } });
}

/** A JSON merge patch (RFC 7396). */
export function patch<T>(r: Resource<T>, name: string, namespace: string | undefined, body: object): Promise<T> {
  return json<T>(urlOf(r, namespace, name), { method: 'PATCH', body, contentType: 'application/merge-patch+json' });
}

/**
 * Changes the spec of what a person read: refused when somebody else changed it since. That the server wrote the
 * status meanwhile is no conflict; it counts up `resourceVersion` but not `generation`.
 */
export async function amend<T extends { metadata: k.Meta }>(r: Resource<T>, read: T, spec: object): Promise<T> {
  const { name, namespace, generation } = read.metadata;
  for (let now = read, left = 3; ; left--) {
    try {
      return await patch(r, name, namespace, { metadata: { resourceVersion: now.metadata.resourceVersion }, spec });
    } catch (cause) {
      if (left === 0 || !(cause instanceof ApiError) || cause.status !== 409) throw cause;
      now = await get(r, name, namespace);
      if (now.metadata.generation !== generation) throw cause;
    }
  }
}

/** The whole object again; its resourceVersion says which one was read. */
export function replace<T extends { metadata: k.Meta }>(r: Resource<T>, object: T): Promise<T> {
  return json<T>(urlOf(r, object.metadata.namespace, object.metadata.name), { method: 'PUT', body: object });
}

/** A subresource that does something: POST with what it is told. */
export function act<A>(r: Resource<unknown>, what: string, name: string, namespace?: string, body: object = {}): Promise<A> {
  return json<A>(`${urlOf(r, namespace, name)}/${what}`, { method: 'POST', body });
}

/** Plurals and subresources that this server has in a group. */
export async function resourcesOf(groupVersion: string, signal?: AbortSignal): Promise<string[]> {
  const found = await json<{ resources: { name: string }[] }>(`/apis/${groupVersion}`, { signal });
  return found.resources.map(({ name }) => name);
}

export async function remove<T>(r: Resource<T>, name: string, namespace?: string): Promise<void> {
  await request(urlOf(r, namespace, name), { method: 'DELETE' });
}

/** Starts the proof of one control, or of each that has one ('all'); answers with the names of what runs now. */
export async function probeControl(name: string): Promise<string[]> {
  return (await json<{ started: string[] }>(`${urlOf(controls, undefined, name)}/probe`, { method: 'POST' })).started;
}

export async function myRules(namespace: string, signal?: AbortSignal): Promise<k.SelfRules> {
  const review = await json<{ status: k.SelfRules }>('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {
    method: 'POST',
    body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } },
    signal,
  });
  return review.status;
}
