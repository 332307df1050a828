// SPDX-License-Identifier: Apache-2.0
// The objects of the API as the console reads them. What a server may leave out is optional.

import type { ProviderSpec } from './provider';

export interface Meta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number; // counts the changes of the spec
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
  { verdict?: VerdictName; /** a line for each thing that was seen */ evidence?: string; checkedAt?: string; durationMs?: number }
>;

export interface Limits {
  requestsPerMinute?: number;
  tokensPerMinute?: number;
}

export type Model = Obj<
  { displayName?: string; artifact?: { path?: string; url?: string; format?: string; digest?: string; sizeBytes?: number }; license?: string },
  { phase?: 'Pending' | 'Importing' | 'Ready' | 'Failed'; conditions?: Condition[]; digest?: string; sizeBytes?: number }
>;

export type ModelService = Obj<
  {
    modelRef?: { name: string };
    engine?: { kind: string; command?: string[]; args?: string[] };
    upstream?: { url: string; model?: string };
    runtimeClassName?: string;
    replicas?: number;
    limits?: Limits & { maxTokens?: number; contextTokens?: number; maxBodyBytes?: number };
  },
  { phase?: 'Pending' | 'Starting' | 'Ready' | 'Degraded' | 'Failed' | 'Stopped'; conditions?: Condition[]; replicas?: number; readyReplicas?: number; endpoint?: string }
>;

export type ApiKey = Obj<
  {
    user?: string;
    serviceAccountName?: string;
    displayName?: string;
    scopes?: { models?: string[]; verbs?: string[]; cidrs?: string[] };
    expiresAt?: string;
    disabled?: boolean;
    limits?: Limits;
  },
  {
    /** in the answer to the creation and to a rotation alone */ key?: string;
    prefix?: string;
    last4?: string;
    lastUsed?: { time?: string; address?: string };
    previous?: { last4?: string; endsAt?: string };
  }
>;

/** What somebody needs beside the password. */
export interface MfaPolicy {
  required?: boolean;
  level?: 'mfa' | 'phishing-resistant';
  graceSeconds?: number;
  methods?: string[];
}

export type User = Obj<
  { displayName?: string; email?: string; groups?: string[]; disabled?: boolean; mfa?: MfaPolicy; passwordChangeRequired?: boolean; expiresAt?: string },
  {
    /** in the answer to the creation alone */
    inviteURL?: string;
    state?: 'Invited' | 'Active' | 'Disabled';
    lastLogin?: string;
    passwordSet?: boolean;
    mfaMethods?: string[];
    lockedUntil?: string;
  }
>;

export type Group = Obj<{ displayName?: string; description?: string; members?: string[]; mfa?: MfaPolicy }>;

export type OidcClient = Obj<
  {
    displayName?: string;
    public?: boolean;
    redirectUris?: string[];
    postLogoutRedirectUris?: string[];
    grantTypes?: string[];
    scopes?: string[];
    audiences?: string[];
    tokenEndpointAuthMethod?: string;
    jwksUri?: string;
    consentRequired?: boolean;
    requiredAcr?: string;
    subjectType?: string;
    dpopBoundAccessTokens?: boolean;
    requirePushedAuthorizationRequests?: boolean;
    backchannelLogoutUri?: string;
    frontchannelLogoutUri?: string;
    clientUri?: string;
    policyUri?: string;
    tosUri?: string;
    accessTokenTtlSeconds?: number;
    refreshTokenTtlSeconds?: number;
    disabled?: boolean;
  },
  { /** in the answer to the creation and to a rotation alone */ clientSecret?: string; lastUsed?: string }
>;

export interface BudgetRule {
  name: string;
  measure: 'requests' | 'tokens' | 'cost';
  /** of cost: millionths of the currency */
  limit: number;
  window: 'minute' | 'hour' | 'day' | 'month';
  per?: 'namespace' | 'user' | 'key';
  /** a rate: the limit of any minute, not of one by the clock */
  algorithm?: string;
}

export type LimitPolicy = Obj<{ modelService?: string; rules: BudgetRule[] }>;

export type IdentityProvider = Obj<ProviderSpec, { conditions?: Condition[] }>;

/** An object of which only its name is known here. */
export type AnyObject = Obj<Record<string, unknown>, Record<string, unknown>>;

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
