// SPDX-License-Identifier: Apache-2.0
// The objects of the API as the console reads them. What a server may leave out is optional.

export interface Meta {
  name: string;
  namespace?: string;
  uid?: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

interface Obj<Spec, Status = never> {
  apiVersion: string;
  kind: string;
  metadata: Meta;
  spec: Spec;
  status?: Status;
}

export interface List<T> {
  metadata: { continue?: string; remainingItemCount?: number };
  items: T[];
}

export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export type VerdictName = 'proven' | 'degraded' | 'failed' | 'absent';

export type Control = Obj<
  { id: string; title: string; titleZh?: string; chapter?: string },
  { verdict?: VerdictName; evidence?: unknown; checkedAt?: string; durationMs?: number }
>;

export interface Limits {
  requestsPerMinute?: number;
  tokensPerMinute?: number;
  tokensPerDay?: number;
}

export type Model = Obj<
  { artifact?: string; digest?: string; format?: string; signaturePolicy?: string },
  { conditions?: Condition[]; sizeBytes?: number }
>;

export type ModelService = Obj<
  { model: string; engine?: string; runtimeClass?: string; replicas?: number; upstream?: string; limits?: Limits },
  { conditions?: Condition[]; readyReplicas?: number; digest?: string }
>;

export type ApiKey = Obj<
  { displayName?: string; models?: string[]; cidrs?: string[]; expiresAt?: string; limits?: Limits; disabled?: boolean },
  { key?: string; prefix?: string; lastUsedAt?: string; createdBy?: string }
>;

export type User = Obj<
  { displayName?: string; email?: string; groups?: string[]; disabled?: boolean },
  { inviteLink?: string; state?: 'invited' | 'active' | 'locked'; lastSignInAt?: string }
>;

export type Group = Obj<{ displayName?: string; members?: string[] }>;

export interface Namespace {
  metadata: Meta;
  status?: { phase?: string };
}

export interface Rule {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
}

export interface Role {
  metadata: Meta;
  rules: Rule[] | null;
}

export interface Subject {
  kind: 'User' | 'Group' | 'ServiceAccount';
  name: string;
  namespace?: string;
  apiGroup?: string;
}

export interface RoleBinding {
  metadata: Meta;
  subjects?: Subject[];
  roleRef: { apiGroup: string; kind: string; name: string };
}

export interface SelfRules {
  resourceRules: Rule[];
  incomplete?: boolean;
}
