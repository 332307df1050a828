// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from 'react';
import { useI18n } from '../../i18n';
import { PageHeader, SubNav } from '../../ui/Page';
import './protection.css';

export function ProtectionHeader({ text, actions }: { text: string; actions?: ReactNode }) {
  const { t } = useI18n();
  return (
    <>
      <PageHeader title={t('nav.protection')} text={text} actions={actions} />
      <SubNav
        label={t('nav.protection')}
        links={[
          { href: '/protection', label: t('waf.hits') },
          { href: '/protection/rules', label: t('waf.rules') },
          { href: '/protection/workbench', label: t('waf.workbench') },
          { href: '/protection/guard', label: t('guard.title') },
          { href: '/protection/bans', label: t('bans.title') },
        ]}
      />
    </>
  );
}
