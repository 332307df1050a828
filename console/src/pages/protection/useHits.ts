// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { collectAudit } from '../../api/audit';
import { agoIso } from '../../lib/duration';
import { readHit, WAF_HIT } from './hits';

export const HITS_MAX = 2000;

/** The newest hits of a span; also what an exclusion is tried on. */
export function useHits(spanMs: number, namespace: string, pollMs: number | false = false) {
  return useQuery({
    queryKey: ['waf-hits', spanMs, namespace],
    queryFn: async ({ signal }) => {
      const { events, more } = await collectAudit({ event: WAF_HIT, namespace, since: agoIso(spanMs) }, HITS_MAX, signal);
      return { hits: events.map(readHit), more, at: Date.now() };
    },
    refetchInterval: pollMs,
  });
}
