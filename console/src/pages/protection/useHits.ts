// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { collectAudit } from '../../api/audit';
import { agoIso } from '../../lib/duration';
import { readHit, WAF_HIT } from './hits';

/** Who proves the controls: it attacks the platform to see that it is refused. */
const PROVER = 'system:drun:posture';

export const HITS_MAX = 2000;

/** The newest hits of a span; also what an exclusion is tried on. Without those of the platform's own proofs, unless asked for. */
export function useHits(spanMs: number, namespace: string, pollMs: number | false = false, ofProofs = false) {
  return useQuery({
    queryKey: ['waf-hits', spanMs, namespace, ofProofs],
    queryFn: async ({ signal }) => {
      const { events, more } = await collectAudit({ event: WAF_HIT, actor: ofProofs ? undefined : `!${PROVER}`, namespace, since: agoIso(spanMs) }, HITS_MAX, signal);
      return { hits: events.map(readHit), more, at: Date.now() };
    },
    refetchInterval: pollMs,
  });
}
