// SPDX-License-Identifier: Apache-2.0
// The API in components: lists that poll, and changes that make them fresh.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback } from 'react';
import { list, type Resource } from './kube';

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
