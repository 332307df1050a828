// SPDX-License-Identifier: Apache-2.0
// A request that should have passed, pasted: what each rule says to it, and the narrowest exclusion.
import { FlaskConical, Filter } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { TextArea, TextField } from '../../ui/Field';
import { Empty, ErrorNotice } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { useTask } from '../../ui/task';
import { Exclude } from './Exclude';
import { Found, RuleText, VerdictBadge } from './Found';
import { type Review, reviewRequest, type ReviewHit } from './kinds';
import { ProtectionHeader } from './ProtectionHeader';

const EXAMPLE_BODY = '{"model":"demo/small","user":"a\' or 1=1 --","messages":[{"role":"user","content":"hello"}]}';
const EXAMPLE = `POST /v1/chat/completions HTTP/1.1
Host: drun.example.com
User-Agent: curl/8
Accept: */*
Content-Type: application/json
Content-Length: ${EXAMPLE_BODY.length}

${EXAMPLE_BODY}`;

interface Asked {
  path: string;
  service: string;
  review: Review;
}

function HitCard({ hit }: { hit: ReviewHit }) {
  const { t } = useI18n();
  return (
    <li className="hit-card">
      <div className="between">
        <h3>
          <span className="mono">{hit.rule}</span> {hit.message}
        </h3>
        <span className="num nowrap second">{hit.refuses ? t('waf.refuses') : hit.points > 0 ? `+${hit.points}` : ''}</span>
      </div>
      <Found {...hit} />
      <details className="more">
        <summary>{t('waf.ruleText', { id: String(hit.rule) })}</summary>
        <RuleText id={hit.rule} file={hit.file} line={hit.line} text={hit.text} />
      </details>
    </li>
  );
}

function Result({ asked, onExclude }: { asked: Asked; onExclude: () => void }) {
  const { t } = useI18n();
  const { review } = asked;
  // Those that only count what the others added say nothing about the request.
  const hits = review.hits.filter((hit) => !hit.variable.startsWith('TX:'));
  const canExclude = review.verdict !== 'passed' && hits.length > 0;
  return (
    <Panel
      title={
        <span className="row">
          <VerdictBadge verdict={review.verdict} />
          {t('waf.scoreOf', { score: review.score, threshold: review.threshold })}
        </span>
      }
      actions={
        canExclude && (
          <Button variant="primary" icon={Filter} onClick={onExclude}>
            {t('waf.suggest')}
          </Button>
        )
      }
    >
      {hits.length === 0 ? (
        <p className="second">{t('waf.noRule')}</p>
      ) : (
        <ul className="hit-cards">
          {hits.map((hit, i) => (
            <HitCard key={`${hit.rule}.${i}`} hit={hit} />
          ))}
        </ul>
      )}
      {review.hitCount > review.hits.length && <p className="muted small">{t('waf.firstOf', { n: review.hits.length, total: review.hitCount })}</p>}
    </Panel>
  );
}

/** The path of a request line, and the model that its body names. */
function aboutOf(request: string): { path: string; service: string } {
  const path = /^\S+ ([^\s?]+)/.exec(request)?.[1] ?? '';
  const model = /"model"\s*:\s*"([a-z0-9.-]+\/[a-z0-9.-]+)"/.exec(request)?.[1] ?? '';
  return { path, service: path.startsWith('/v1/') ? model : '' };
}

export default function Workbench() {
  const { t } = useI18n();
  const [request, setRequest] = useState('');
  const [service, setService] = useState('');
  const [asked, setAsked] = useState<Asked | null>(null);
  const [excluding, setExcluding] = useState(false);
  const { busy, error, run } = useTask();
  const about = aboutOf(request);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!request.trim()) return;
    void run(async () => {
      const meant = service.trim() || about.service;
      setAsked({ path: about.path, service: meant, review: await reviewRequest(request.replace(/^\s+/, ''), meant) });
    });
  };
  return (
    <>
      <ProtectionHeader text={t('waf.workbenchText')} />
      <Panel>
        <form className="stack" onSubmit={submit}>
          <TextArea label={t('waf.raw')} hint={t('waf.rawHint')} mono rows={11} spellCheck={false} value={request} placeholder="GET /v1/models HTTP/1.1" onChange={(event) => setRequest(event.target.value)} />
          <div className="desk-ask">
            <TextField label={t('waf.asService')} mono value={service} placeholder={about.service || 'demo/small'} onChange={(event) => setService(event.target.value)} />
            <Button onClick={() => setRequest(EXAMPLE)}>{t('waf.example')}</Button>
            <Button variant="primary" type="submit" icon={FlaskConical} busy={busy} disabled={!request.trim()}>
              {t('waf.ask')}
            </Button>
          </div>
        </form>
      </Panel>
      {error !== null && <ErrorNotice error={error} />}
      {asked ? (
        <Result asked={asked} onExclude={() => setExcluding(true)} />
      ) : (
        <Panel>
          <Empty icon={FlaskConical} title={t('waf.workbenchEmpty')}>
            {t('waf.workbenchEmptyHelp')}
          </Empty>
        </Panel>
      )}
      {excluding && asked && (
        <Exclude
          seed={{ path: asked.path, service: asked.service, namespace: asked.service.split('/')[0] ?? '', score: asked.review.score, threshold: asked.review.threshold, parts: asked.review.hits }}
          onClose={() => setExcluding(false)}
        />
      )}
    </>
  );
}
