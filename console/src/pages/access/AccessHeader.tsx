// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from 'react';
import { useHas } from '../../api/hooks';
import { useI18n } from '../../i18n';
import { PageHeader, SubNav } from '../../ui/Page';

export function AccessHeader({ text, actions }: { text: string; actions?: ReactNode }) {
  const { t } = useI18n();
  const federated = useHas('identityproviders');
  return (
    <>
      <PageHeader title={t('nav.access')} text={text} actions={actions} />
      <SubNav
        label={t('nav.access')}
        links={[
          { href: '/access', label: t('access.users') },
          { href: '/access/groups', label: t('access.groups') },
          { href: '/access/roles', label: t('access.roles') },
          { href: '/access/bindings', label: t('access.bindings') },
          { href: '/access/who-can', label: t('access.whoCan') },
          { href: '/access/review', label: t('access.review') },
          { href: '/access/clients', label: t('clients.title') },
          { href: '/access/issuers', label: t('objects.issuers') },
          ...(federated ? [{ href: '/access/providers', label: t('objects.providers') }] : []),
          { href: '/access/scim', label: t('access.scim') },
        ]}
      />
    </>
  );
}
