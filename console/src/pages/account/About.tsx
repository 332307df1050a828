// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { json } from '../../api/http';
import { useI18n } from '../../i18n';
import { Wordmark } from '../../ui/Logo';
import { ErrorView, Skeleton } from '../../ui/Notice';
import { Facts, PageHeader, Panel } from '../../ui/Page';
import './account.css';

interface Version {
  gitVersion?: string;
  gitCommit?: string;
  buildDate?: string;
  platform?: string;
  compiler?: string;
}

const STANDARDS = ['OpenID Connect 1.0', 'OAuth 2.0 (RFC 6749, 7636, 9207)', 'Kubernetes API', 'OpenAI API', 'RFC 6962 / C2SP tlog-checkpoint', 'RFC 9457'];
const LIBRARIES = ['React (MIT)', 'Base UI (MIT)', 'TanStack Query (MIT)', 'wouter (Unlicense)', 'Lucide (ISC)', 'Geist, Geist Mono (OFL 1.1)'];

export default function About() {
  const { t } = useI18n();
  const query = useQuery({ queryKey: ['version'], queryFn: ({ signal }) => json<Version>('/version', { signal }), staleTime: Infinity });
  const v = query.data;
  return (
    <>
      <PageHeader title={t('nav.about')} text={t('about.text')} />
      <Panel>
        <div className="about-mark">
          <Wordmark height={44} />
          <p className="second">{t('about.tagline')}</p>
        </div>
      </Panel>
      <div className="grid-2">
        <Panel title={t('about.server')}>
          {query.error ? (
            <ErrorView error={query.error} onRetry={() => void query.refetch()} />
          ) : v ? (
            <Facts
              items={[
                { label: t('about.version'), value: v.gitVersion ?? '–' },
                { label: t('about.commit'), value: <code>{v.gitCommit || '–'}</code> },
                { label: t('about.built'), value: v.buildDate && Date.parse(v.buildDate) > 0 ? v.buildDate : '–' },
                { label: t('about.platform'), value: v.platform ?? '–' },
                { label: t('about.compiler'), value: v.compiler ?? '–' },
              ]}
            />
          ) : (
            <Skeleton lines={5} />
          )}
        </Panel>
        <Panel title={t('about.more')}>
          <Facts
            items={[
              { label: t('about.standards'), value: STANDARDS.join(', ') },
              {
                label: t('about.libraries'),
                value: (
                  <>
                    {LIBRARIES.join(', ')}
                    <br />
                    <a href="/licenses.txt">{t('about.notices')}</a>
                  </>
                ),
              },
              { label: t('about.license'), value: 'Apache-2.0' },
            ]}
          />
        </Panel>
      </div>
    </>
  );
}
