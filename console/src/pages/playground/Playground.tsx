// SPDX-License-Identifier: Apache-2.0
// Talk to a model with one's own rights: what it answers here is what an application would get.
import { useQuery } from '@tanstack/react-query';
import { ArrowUp, Eraser, MessageSquareText, Square } from 'lucide-react';
import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { useSearchParams } from 'wouter';
import { useList } from '../../api/hooks';
import { modelServices } from '../../api/kube';
import { type ChatMessage, type ChatStats, listOpenAiModels, streamChat } from '../../api/chat';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { SelectField, TextArea, TextField } from '../../ui/Field';
import { Empty, ErrorNotice, ErrorView } from '../../ui/Notice';
import { PageHeader } from '../../ui/Page';
import { type Exchange, Turn } from './Turn';
import './playground.css';

interface Settings {
  system: string;
  temperature: string;
  maxTokens: string;
}

function clamp(text: string, least: number, most: number, otherwise: number): number {
  const n = Number(text);
  return text.trim() === '' || !Number.isFinite(n) ? otherwise : Math.min(most, Math.max(least, n));
}

/** The models that are open to the caller, those that answer first; the phase of one that does not, where it may be seen. */
function useModels() {
  const { t } = useI18n();
  const query = useQuery({ queryKey: ['openai-models'], queryFn: ({ signal }) => listOpenAiModels(signal), refetchInterval: 10_000 });
  const { data: services } = useList(modelServices, '', 10_000);
  const phases = new Map((services ?? []).map(({ metadata, status }) => [`${metadata.namespace}/${metadata.name}`, status?.phase]));
  const waits = (id: string) => !['Ready', 'Degraded', undefined].includes(phases.get(id));
  const ids = [...(query.data ?? [])].sort((a, b) => Number(waits(a)) - Number(waits(b)) || a.localeCompare(b));
  const labelOf = (id: string) => {
    const phase = phases.get(id);
    return phase && waits(id) ? `${id} · ${t(`phase.${phase}`)}` : id;
  };
  return { query, ids, labelOf };
}

/** The conversation, and the one answer that may be under way. */
function useChat() {
  const [turns, setTurns] = useState<Exchange[]>([]);
  const [busy, setBusy] = useState(false);
  const abort = useRef<AbortController | null>(null);
  useEffect(() => () => abort.current?.abort(), []);

  const ask = async (model: string, question: string, settings: Settings) => {
    const controller = new AbortController();
    abort.current = controller;
    const edit = (change: (turn: Exchange) => Exchange) => setTurns((all) => all.map((turn, i) => (i === all.length - 1 ? change(turn) : turn)));
    const messages: ChatMessage[] = [];
    if (settings.system.trim()) messages.push({ role: 'system', content: settings.system });
    for (const turn of turns.filter((each) => each.answer && !each.error)) {
      messages.push({ role: 'user', content: turn.question }, { role: 'assistant', content: turn.answer });
    }
    messages.push({ role: 'user', content: question });
    setTurns((all) => [...all, { question, answer: '', model, state: 'running' }]);
    setBusy(true);
    try {
      const chat = { model, messages, temperature: clamp(settings.temperature, 0, 2, 0.7), max_tokens: settings.maxTokens.trim() ? Math.round(clamp(settings.maxTokens, 1, 131_072, 1)) : undefined };
      const stats: ChatStats = await streamChat(chat, (piece) => edit((turn) => ({ ...turn, answer: turn.answer + piece })), controller.signal);
      edit((turn) => ({ ...turn, state: 'done', stats }));
    } catch (error) {
      if (controller.signal.aborted) edit((turn) => ({ ...turn, state: 'stopped' }));
      else edit((turn) => ({ ...turn, state: 'done', error }));
    } finally {
      setBusy(false);
    }
  };
  return { turns, busy, ask, stop: () => abort.current?.abort(), clear: () => setTurns([]) };
}

export default function Playground() {
  const { t } = useI18n();
  const [search] = useSearchParams();
  const { query: models, ids, labelOf } = useModels();
  const [chosen, setChosen] = useState(search.get('model') ?? '');
  const [settings, setSettings] = useState<Settings>({ system: '', temperature: '0.7', maxTokens: '' });
  const [draft, setDraft] = useState('');
  const { turns, busy, ask, stop, clear } = useChat();
  const log = useRef<HTMLDivElement>(null);
  const model = chosen || ids[0] || '';
  const length = turns.reduce((n, turn) => n + turn.answer.length + 1, 0);

  useEffect(() => {
    const box = log.current;
    if (box && box.scrollHeight - box.scrollTop - box.clientHeight < 160) box.scrollTop = box.scrollHeight;
  }, [length]);

  const send = (event?: FormEvent) => {
    event?.preventDefault();
    const question = draft.trim();
    if (!question || !model || busy) return;
    setDraft('');
    void ask(model, question, settings);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  const set = (change: Partial<Settings>) => setSettings((old) => ({ ...old, ...change }));
  const choices = [...new Set([...(chosen ? [chosen] : []), ...ids])].map((id) => ({ value: id, label: labelOf(id) }));

  return (
    <>
      <PageHeader
        title={t('nav.playground')}
        text={t('playground.text')}
        actions={
          <Button icon={Eraser} disabled={turns.length === 0 || busy} onClick={clear}>
            {t('playground.clear')}
          </Button>
        }
      />
      <div className="playground">
        <section className="panel chat" aria-label={t('playground.conversation')}>
          {/* The log scrolls, so the keyboard must reach it. */}
          {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
          <div className="chat-log" ref={log} tabIndex={0} role="log" aria-label={t('playground.conversation')} aria-busy={busy}>
            {turns.length === 0 &&
              (models.error ? (
                <ErrorView error={models.error} onRetry={() => void models.refetch()} />
              ) : models.data?.length === 0 ? (
                <Empty icon={MessageSquareText} title={t('playground.noModels')}>
                  {t('playground.noModelsHelp')}
                </Empty>
              ) : (
                <Empty icon={MessageSquareText} title={t('playground.empty')}>
                  {t('playground.emptyHelp')}
                </Empty>
              ))}
            {turns.map((turn, i) => (
              <Turn key={i} turn={turn} />
            ))}
          </div>
          <form className="composer" onSubmit={send}>
            <TextArea label={t('playground.message')} hideLabel placeholder={t('playground.placeholder')} rows={2} value={draft} onKeyDown={onKey} onChange={(event) => setDraft(event.target.value)} />
            {busy ? (
              <Button variant="secondary" icon={Square} onClick={stop}>
                {t('playground.stop')}
              </Button>
            ) : (
              <Button type="submit" variant="primary" icon={ArrowUp} disabled={!draft.trim() || !model}>
                {t('playground.send')}
              </Button>
            )}
          </form>
        </section>
        <section className="panel settings" aria-label={t('playground.settings')}>
          <SelectField label={t('models.model')} choices={choices.length ? choices : [{ value: '', label: models.isPending ? t('common.loading') : '–' }]} value={model} onChange={(event) => setChosen(event.target.value)} />
          <TextArea label={t('playground.system')} rows={6} value={settings.system} placeholder={t('playground.systemPlaceholder')} onChange={(event) => set({ system: event.target.value })} />
          <TextField label={t('playground.temperature')} type="number" min={0} max={2} step={0.1} value={settings.temperature} hint={t('playground.temperatureHint')} onChange={(event) => set({ temperature: event.target.value })} />
          <TextField label={t('playground.maxTokens')} type="number" min={1} max={131072} step={1} placeholder={t('playground.maxTokensAuto')} value={settings.maxTokens} onChange={(event) => set({ maxTokens: event.target.value })} />
          {models.error && turns.length > 0 && <ErrorNotice error={models.error} />}
        </section>
      </div>
    </>
  );
}
