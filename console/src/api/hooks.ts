// SPDX-License-Identifier: Apache-2.0
// The API in components: lists that poll, and changes that make them fresh.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback } from 'react';
import { list, type Resource, resourcesOf } from './kube';

export function useList<T>(r: Resource<T>, namespace = '', pollMs: number | false = false) {
  return useQuery({
    queryKey: ['list', r.plural, namespace],
    queryFn: ({ signal }) => list(r, namespace || undefined, signal),
    refetchInterval: pollMs,
  });
}

export function useRefresh() {
  const client = useQueryClient();
  return useCallback(<T,>(r: Resource<T>) => client.invalidateQueries({ queryKey: ['list', r.plural] }), [client]);
}

/** Whether the server has a kind or a subresource of drun.io: "apikeys/rotate". */
export function useHas(name: string): boolean {
  const { data } = useQuery({ queryKey: ['discovery'], queryFn: ({ signal }) => resourcesOf('drun.io/v1', signal), staleTime: Infinity });
  return data?.includes(name) ?? false;
}
