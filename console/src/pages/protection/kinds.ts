// SPDX-License-Identifier: Apache-2.0
// What the firewall and the guard are asked, and the objects that rule them.
import { json } from '../../api/http';
import { resource } from '../../api/kube';
import type { Condition, Meta } from '../../api/types';

interface Ruled<Spec> {
  apiVersion: string;
  kind: string;
  metadata: Meta;
  spec: Spec;
  status?: { phase?: string; rules?: number; digest?: string; conditions?: Condition[] };
}

export interface Match {
  paths?: string[];
  namespaces?: string[];
  modelServices?: string[];
}
export interface Exclusion {
  ruleIds?: string[];
  ruleTags?: string[];
  targets?: string[];
  reason?: string;
}
export type WafRuleSet = Ruled<{ files?: string[]; rules?: string }>;
export type WafPolicy = Ruled<{ match?: Match; mode?: 'Block' | 'Detect' | 'Off'; paranoiaLevel?: number; inboundThreshold?: number; exclusions?: Exclusion[] }>;

export type GuardAction = 'off' | 'detect' | 'mask' | 'block';
export type Direction = 'both' | 'request' | 'answer';
export interface GuardRule {
  detector: string;
  action: GuardAction;
  direction?: Direction;
}
export type GuardPolicy = Ruled<{ modelService?: string; rules: GuardRule[] }>;

export const wafRuleSets = resource<WafRuleSet>('drun.io/v1', 'WafRuleSet', 'wafrulesets');
export const wafPolicies = resource<WafPolicy>('drun.io/v1', 'WafPolicy', 'wafpolicies');
export const guardPolicies = resource<GuardPolicy>('drun.io/v1', 'GuardPolicy', 'guardpolicies', true);

const WAF = '/apis/waf.drun.io/v1';

/** One rule's word on a request. */
export interface ReviewHit {
  rule: number;
  message: string;
  file: string;
  line: number;
  phase: number;
  refuses: boolean;
  points: number;
  variable: string;
  before: string;
  match: string;
  after: string;
  tags: string[];
  text: string;
}
export interface Review {
  verdict: 'refused' | 'detected' | 'passed';
  rule: number;
  score: number;
  threshold: number;
  hitCount: number;
  hits: ReviewHit[];
}

/** What the rules in force say to a request as it is on the wire. */
export async function reviewRequest(request: string, modelService: string): Promise<Review> {
  const body = { apiVersion: 'waf.drun.io/v1', kind: 'WafReview', spec: { request, modelService } };
  return (await json<{ status: Review }>(`${WAF}/wafreviews`, { method: 'POST', body })).status;
}

export interface RuleText {
  file: string;
  line: number;
  phase: number;
  text: string;
}

export async function readRule(id: number, signal?: AbortSignal): Promise<RuleText> {
  return (await json<{ spec: RuleText }>(`${WAF}/wafrules/${id}`, { signal })).spec;
}

export interface Ban {
  metadata: { name: string; creationTimestamp: string };
  spec: { address: string; until: string; reason: string };
}
export interface Flood {
  class: string;
  level: string;
  perSecond: number;
  usual: number;
}
export interface Bans {
  items: Ban[];
  status: { kernel: { state: string; reason: string }; floods: Flood[] };
}

export const BANS = '/apis/limits.drun.io/v1/bans';
