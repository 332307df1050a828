// SPDX-License-Identifier: Apache-2.0
import { useList } from '../../api/hooks';
import { clusterRoleBindings, groups } from '../../api/kube';

const PROOFS = 'drun:posture'; // the group of the platform's own proofs

/** Groups that somebody made, and those that roles are bound to. */
export function useGroupNames(): string[] {
  const made = useList(groups);
  const bindings = useList(clusterRoleBindings);
  const bound = (bindings.data ?? []).flatMap((binding) => binding.subjects ?? []).filter(({ kind, name }) => kind === 'Group' && !name.startsWith('system:') && name !== PROOFS);
  return [...new Set([...(made.data ?? []).map((group) => group.metadata.name), ...bound.map(({ name }) => name)])].sort();
}
