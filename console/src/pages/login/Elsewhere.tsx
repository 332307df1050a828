// SPDX-License-Identifier: Apache-2.0
// Signing in with an account of elsewhere: an OpenID provider is gone to, a directory takes the password here. Names with
// a domain of a provider lead there by themselves.
import { useQuery } from '@tanstack/react-query';
import { Building2 } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useI18n } from '../../i18n';
import { listProviders, type Provider, underWay } from '../../identity/api';
import { Button } from '../../ui/Button';

export const titleOf = (provider: Provider) => provider.displayName || provider.name;

/** Leaves for the provider, which is told who is coming where that is known. */
export function goTo(provider: Provider, target: string, username = '') {
  const url = new URL(provider.start, window.location.origin);
  url.searchParams.set('return', target);
  if (username) url.searchParams.set('login_hint', username);
  underWay.note(true);
  window.location.assign(url.pathname + url.search);
}

const TYPING_MS = 250;

/** The provider that names of this domain belong to. Only the domain is asked about. */
export function useHome(username: string): Provider | null {
  const found = /^[^@\s]+(@[a-z0-9-]+(?:\.[a-z0-9-]+)+)$/i.exec(username.trim())?.[1]?.toLowerCase() ?? '';
  const [domain, setDomain] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setDomain(found), TYPING_MS);
    return () => clearTimeout(timer);
  }, [found]);
  const { data } = useQuery({ queryKey: ['providers', domain], queryFn: ({ signal }) => listProviders(signal, domain), staleTime: Infinity, enabled: domain !== '' });
  return (domain === found && data?.[0]) || null;
}

export function Providers({ chosen, offered, target, onChoose }: { chosen: Provider | null; /** stands above already */ offered: Provider | null; target: string; onChoose: (directory: Provider | null) => void }) {
  const { t } = useI18n();
  const { data } = useQuery({ queryKey: ['providers'], queryFn: ({ signal }) => listProviders(signal), staleTime: Infinity });
  return (
    <>
      {chosen && <Button onClick={() => onChoose(null)}>{t('login.withHere')}</Button>}
      {data?.filter(({ name }) => name !== chosen?.name && name !== offered?.name).map((provider) => (
        <Button key={provider.name} icon={Building2} onClick={() => (provider.type === 'ldap' ? onChoose(provider) : goTo(provider, target))}>
          <span className="clip">{t('login.with', { name: titleOf(provider) })}</span>
        </Button>
      ))}
    </>
  );
}
