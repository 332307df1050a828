// SPDX-License-Identifier: Apache-2.0
// What permissions are about, in the order that people ask.
export const RESOURCES: { resource: string; group: string; verbs: string[] }[] = [
  { resource: 'models', group: 'drun.io', verbs: ['invoke', 'get', 'list', 'create', 'update', 'delete'] },
  { resource: 'modelservices', group: 'drun.io', verbs: ['get', 'list', 'create', 'update', 'delete'] },
  { resource: 'apikeys', group: 'drun.io', verbs: ['get', 'list', 'create', 'update', 'delete'] },
  { resource: 'users', group: 'drun.io', verbs: ['get', 'list', 'create', 'update', 'delete'] },
  { resource: 'groups', group: 'drun.io', verbs: ['get', 'list', 'create', 'update', 'delete'] },
  { resource: 'secrets', group: '', verbs: ['get', 'list', 'create', 'update', 'delete'] },
  { resource: 'namespaces', group: '', verbs: ['get', 'list', 'create', 'update', 'delete'] },
  { resource: 'clusterrolebindings', group: 'rbac.authorization.k8s.io', verbs: ['get', 'list', 'create', 'update', 'delete'] },
  { resource: 'rolebindings', group: 'rbac.authorization.k8s.io', verbs: ['get', 'list', 'create', 'update', 'delete'] },
  { resource: 'auditevents', group: 'audit.drun.io', verbs: ['get', 'list'] },
  { resource: 'controls', group: 'drun.io', verbs: ['get', 'list', 'probe'] },
];
export const VERBS = ['invoke', 'get', 'list', 'create', 'update', 'delete', 'probe'];
