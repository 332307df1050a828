// SPDX-License-Identifier: Apache-2.0
// Words instead of data: nothing here yet, it went wrong, you may not.
import { CircleAlert, Info, Lock, type LucideIcon, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { ApiError } from '../api/http';
import { type I18n, useI18n } from '../i18n';
import { Button } from './Button';
import './notice.css';

type Tone = 'info' | 'warn' | 'bad';
const ICONS: Record<Tone, LucideIcon> = { info: Info, warn: TriangleAlert, bad: CircleAlert };

export function Notice({ tone = 'info', children }: { tone?: Tone; children: ReactNode }) {
  const Icon = ICONS[tone];
  return (
    <div className={`notice notice-${tone}`}>
      <Icon className="icon" aria-hidden="true" />
      <div className="grow">{children}</div>
    </div>
  );
}

/** What happened in the reader's language; the server's own sentence follows it. */
export function errorTitle(error: unknown, { t }: I18n): string {
  if (!(error instanceof ApiError)) return t('error.unexpected');
  if (error.status === 0) return t('error.unreachable');
  if (error.status === 401) return t('error.unauthorized');
  if (error.status === 403) return t('error.forbidden');
  if (error.status === 404) return t('error.notFound');
  if (error.status === 409) return t('error.conflict');
  if (error.status === 422 || error.status === 400) return t('error.invalid');
  if (error.status === 429) return error.retryAfterSec ? t('error.tooManyWait', { n: error.retryAfterSec }) : t('error.tooMany');
  if (error.status >= 500) return t('error.server');
  return t('error.unexpected');
}

function ErrorDetails({ error }: { error: unknown }) {
  const { t } = useI18n();
  const causes = error instanceof ApiError ? error.causes : [];
  return (
    <>
      <p className="second small break">{error instanceof Error ? error.message : String(error)}</p>
      {causes.length > 0 && (
        <ul className="causes">
          {causes.map((cause) => (
            <li key={cause.field + cause.message}>
              <code>{cause.field}</code> {cause.message}
            </li>
          ))}
        </ul>
      )}
      {error instanceof ApiError && error.reason && error.reason !== 'about:blank' && (
        <p className="muted small">
          {t('error.reason')} <code>{error.status > 0 ? `${error.status} ${error.reason}` : error.reason}</code>
        </p>
      )}
    </>
  );
}

export function ErrorNotice({ error }: { error: unknown }) {
  const i18n = useI18n();
  return (
    <div role="alert">
      <Notice tone="bad">
        <p className="strong">{errorTitle(error, i18n)}</p>
        <ErrorDetails error={error} />
      </Notice>
    </div>
  );
}

/** In the place of a page's data. A 403 is explained and not retried. */
export function ErrorView({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const i18n = useI18n();
  const forbidden = error instanceof ApiError && error.status === 403;
  const Icon = forbidden ? Lock : CircleAlert;
  return (
    <div className="blank" role="alert">
      <span className={`blank-icon${forbidden ? '' : ' blank-bad'}`}>
        <Icon className="icon" aria-hidden="true" />
      </span>
      <h2>{errorTitle(error, i18n)}</h2>
      {forbidden && <p className="second">{i18n.t('error.forbiddenHelp')}</p>}
      <ErrorDetails error={error} />
      {!forbidden && onRetry && <Button onClick={onRetry}>{i18n.t('common.retry')}</Button>}
    </div>
  );
}

export function Empty({ icon: Icon, title, children, action }: { icon: LucideIcon; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="blank">
      <span className="blank-icon">
        <Icon className="icon" aria-hidden="true" />
      </span>
      <h2>{title}</h2>
      {children && <div className="second">{children}</div>}
      {action}
    </div>
  );
}

export function Skeleton({ lines = 3 }: { lines?: number }) {
  const { t } = useI18n();
  return (
    <div className="skeleton" role="status">
      <span className="sr-only">{t('common.loading')}</span>
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} className="bone" aria-hidden="true" />
      ))}
    </div>
  );
}
