// SPDX-License-Identifier: Apache-2.0
import type { ChatStats } from '../../api/chat';
import { useI18n } from '../../i18n';
import { CodeBlock, CopyIcon } from '../../ui/Code';
import { ErrorNotice } from '../../ui/Notice';

export interface Exchange {
  question: string;
  answer: string;
  model: string;
  state: 'running' | 'done' | 'stopped';
  stats?: ChatStats;
  error?: unknown;
}

/** Text as it is, and fenced code in its own block. Nothing a model says becomes markup. */
function Answer({ text }: { text: string }) {
  return text.split(/(```[^\n]*\n[\s\S]*?(?:```|$))/).map((part, i) => {
    const fence = /^```([^\n]*)\n([\s\S]*?)(?:\n?```)?$/.exec(part);
    if (fence) return <CodeBlock key={i} label={fence[1] || 'code'} code={fence[2] ?? ''} />;
    return part.trim() ? (
      <p key={i} className="prose">
        {part.trim()}
      </p>
    ) : null;
  });
}

function Figures({ stats }: { stats: ChatStats }) {
  const { t, f } = useI18n();
  const figures: [string, string][] = [];
  if (stats.firstTokenMs !== undefined) figures.push([t('playground.firstToken'), f.ms(stats.firstTokenMs)]);
  if (stats.tokensPerSec !== undefined) figures.push([t('playground.speed'), t('playground.perSec', { n: f.decimal(stats.tokensPerSec, 1) })]);
  if (stats.promptTokens !== undefined) figures.push([t('playground.promptTokens'), f.number(stats.promptTokens)]);
  if (stats.completionTokens !== undefined) figures.push([t('playground.completionTokens'), f.number(stats.completionTokens)]);
  figures.push([t('playground.total'), f.ms(stats.totalMs)]);
  if (stats.finishReason && stats.finishReason !== 'stop') figures.push([t('playground.finish'), stats.finishReason]);
  return (
    <dl className="figures num">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Turn({ turn }: { turn: Exchange }) {
  const { t } = useI18n();
  return (
    <article className="turn">
      <div className="ask">
        <span className="sr-only">{t('playground.you')}</span>
        <p className="prose">{turn.question}</p>
      </div>
      <div className="answer">
        <p className="answer-head">
          <span className="mono">{turn.model}</span>
          {turn.answer && turn.state !== 'running' && <CopyIcon text={turn.answer} />}
        </p>
        <Answer text={turn.answer} />
        {turn.state === 'running' && <span className="caret" aria-hidden="true" />}
        {turn.state === 'stopped' && <p className="muted small">{t('playground.stopped')}</p>}
        {turn.error !== undefined && <ErrorNotice error={turn.error} />}
        {turn.stats && <Figures stats={turn.stats} />}
      </div>
    </article>
  );
}
