// SPDX-License-Identifier: Apache-2.0
import { useI18n } from '../../i18n';
import { PageHeader, SubNav } from '../../ui/Page';

export function AccountHeader() {
  const { t } = useI18n();
  return (
    <>
      <PageHeader title={t('nav.account')} text={t('account.text')} />
      <SubNav
        label={t('nav.account')}
        links={[
          { href: '/account', label: t('account.profile') },
          { href: '/account/security', label: t('account.security') },
          { href: '/account/links', label: t('links.title') },
          { href: '/account/sessions', label: t('account.sessions') },
        ]}
      />
    </>
  );
}
