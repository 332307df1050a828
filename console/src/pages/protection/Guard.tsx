// SPDX-License-Identifier: Apache-2.0
// What the guard does with secrets, personal data and hidden characters: the policies, and a text to try them on.
import { useQuery } from '@tanstack/react-query';
import { Ellipsis, Eye, Pencil, Plus, Trash2 } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { listOpenAiModels } from '../../api/chat';
import { useList, useRefresh } from '../../api/hooks';
import { json } from '../../api/http';
import { remove } from '../../api/kube';
import { useI18n } from '../../i18n';
import { useNamespace } from '../../lib/namespace';
import { Button, IconButton } from '../../ui/Button';
import { Confirm } from '../../ui/Dialog';
import { SelectField, TextArea } from '../../ui/Field';
import { Menu, MenuItem, MenuRule } from '../../ui/Menu';
import { Empty, ErrorNotice, ErrorView } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { Badge, type Tone } from '../../ui/Status';
import { type Column, Table } from '../../ui/Table';
import { useTask } from '../../ui/task';
import { toast } from '../../ui/Toast';
import { type GuardVerdict, piecesOf, type Way } from './detectors';
import { EditGuard } from './EditGuard';
import { guardPolicies, type GuardPolicy, type GuardRule } from './kinds';
import { ProtectionHeader } from './ProtectionHeader';

const TONES: Record<GuardVerdict['verdict'], Tone> = { passed: 'good', masked: 'warn', blocked: 'bad' };

interface Tried extends GuardVerdict {
  asked: string;
}

function Outcome({ tried }: { tried: Tried }) {
  const { t } = useI18n();
  const changed = tried.verdict === 'masked';
  return (
    <div className="stack" role="status">
      <div className="row">
        <Badge tone={TONES[tried.verdict]}>{t(`guard.verdict-${tried.verdict}`)}</Badge>
        {tried.findings.length === 0 && <span className="second">{t('guard.nothing')}</span>}
      </div>
      {tried.findings.length > 0 && (
        <>
          <div className="found">
            <p className="break">
              {piecesOf(tried.asked, tried.findings).map((piece, i) =>
                piece.finding ? (
                  <mark key={i} className={`mark-${piece.finding.action}`} title={piece.finding.detector}>
                    {piece.text}
                  </mark>
                ) : (
                  <span key={i}>{piece.text}</span>
                ),
              )}
            </p>
          </div>
          <ul className="parts">
            {tried.findings.map((finding, i) => (
              <li key={i}>
                <span className="mono grow break">{finding.detector}</span>
                {finding.encoded && <span className="muted small">{t('guard.encoded')}</span>}
                <span className="second small">{t(`guard.group-${finding.group}`)}</span>
                <Badge tone={finding.action === 'block' ? 'bad' : finding.action === 'mask' ? 'warn' : 'none'}>{t(`guard.action-${finding.action}`)}</Badge>
              </li>
            ))}
          </ul>
        </>
      )}
      {changed && (
        <section className="stack-s">
          <h3>{t('guard.goesOn')}</h3>
          <div className="found">
            <p className="break">{tried.text}</p>
          </div>
        </section>
      )}
    </div>
  );
}

function Try() {
  const { t } = useI18n();
  const models = useQuery({ queryKey: ['openai-models'], queryFn: ({ signal }) => listOpenAiModels(signal) });
  const [model, setModel] = useState('');
  const [way, setWay] = useState<Way>('request');
  const [text, setText] = useState('');
  const [tried, setTried] = useState<Tried | null>(null);
  const { busy, error, run } = useTask();
  const meant = model || models.data?.[0] || '';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!text || !meant) return;
    void run(async () => setTried({ ...(await json<GuardVerdict>('/v1/guard', { method: 'POST', body: { model: meant, direction: way, text } })), asked: text }));
  };
  return (
    <Panel title={t('guard.try')} text={t('guard.tryText')}>
      <div className="guard-try">
        <form className="stack" onSubmit={submit}>
          <div className="form-grid">
            <SelectField label={t('guard.model')} value={meant} disabled={!models.data?.length} hint={models.data?.length === 0 ? t('guard.noModel') : undefined} onChange={(event) => setModel(event.target.value)} choices={(models.data ?? []).map((value) => ({ value, label: value }))} />
            <SelectField label={t('guard.as')} value={way} onChange={(event) => setWay(event.target.value as Way)} choices={(['request', 'answer'] as const).map((value) => ({ value, label: t(`guard.way-${value}`) }))} />
          </div>
          <TextArea label={t('guard.textLabel')} rows={6} spellCheck={false} value={text} placeholder={t('guard.placeholder')} onChange={(event) => setText(event.target.value)} />
          <div>
            <Button variant="primary" type="submit" icon={Eye} busy={busy} disabled={!text || !meant}>
              {t('guard.look')}
            </Button>
          </div>
        </form>
        <div className="stack">
          {models.error && <ErrorNotice error={models.error} />}
          {error !== null && <ErrorNotice error={error} />}
          {tried ? <Outcome tried={tried} /> : <Empty icon={Eye} title={t('guard.tryEmpty')} />}
        </div>
      </div>
    </Panel>
  );
}

function RuleBadges({ rules }: { rules: GuardRule[] }) {
  const { t } = useI18n();
  return (
    <span className="row-wrap">
      {rules.slice(0, 4).map((rule, i) => (
        <span key={i} className="small nowrap">
          <span className="mono">{rule.detector}</span> <span className="second">{t(`guard.action-${rule.action}`)}</span>
        </span>
      ))}
      {rules.length > 4 && <span className="muted small">{t('guard.more', { n: rules.length - 4 })}</span>}
    </span>
  );
}

export default function Guard() {
  const { t } = useI18n();
  const namespace = useNamespace();
  const refresh = useRefresh();
  const query = useList(guardPolicies, namespace);
  const [editing, setEditing] = useState<GuardPolicy | 'new' | null>(null);
  const [deleting, setDeleting] = useState<GuardPolicy | null>(null);
  const newButton = (
    <Button icon={Plus} onClick={() => setEditing('new')}>
      {t('guard.new')}
    </Button>
  );
  const columns: Column<GuardPolicy>[] = [
    {
      id: 'name',
      header: t('waf.policy'),
      cell: (one) => (
        <button type="button" className="primary-cell" onClick={() => setEditing(one)}>
          {one.metadata.name}
        </button>
      ),
      sort: (one) => one.metadata.name,
    },
    { id: 'namespace', header: t('common.namespace'), cell: (one) => <span className="second">{one.metadata.namespace === 'drun-system' ? t('guard.everywhere') : one.metadata.namespace}</span>, rank: 2 },
    { id: 'model', header: t('guard.model'), cell: (one) => <span className="second">{one.spec.modelService ?? t('guard.allModels')}</span>, rank: 2 },
    { id: 'rules', header: t('guard.says'), cell: (one) => <RuleBadges rules={one.spec.rules} /> },
    {
      id: 'actions',
      header: t('common.actions'),
      hideHeader: true,
      width: 'tight',
      cell: (one) => (
        <Menu trigger={<IconButton label={t('common.actionsFor', { name: one.metadata.name })} icon={Ellipsis} />}>
          <MenuItem icon={Pencil} onClick={() => setEditing(one)}>
            {t('common.edit')}
          </MenuItem>
          <MenuRule />
          <MenuItem icon={Trash2} danger onClick={() => setDeleting(one)}>
            {t('common.delete')}
          </MenuItem>
        </Menu>
      ),
    },
  ];
  return (
    <>
      <ProtectionHeader text={t('guard.text')} />
      <Panel flush title={t('guard.policies')} text={t('guard.policiesText')} actions={newButton}>
        <div className="roomy">
          {query.error && !query.data ? (
            <ErrorView error={query.error} onRetry={() => void query.refetch()} />
          ) : (
            <Table
              caption={t('guard.policies')}
              columns={columns}
              rows={query.data}
              rowKey={(one) => `${one.metadata.namespace}/${one.metadata.name}`}
              onRow={setEditing}
              loadingRows={2}
              empty={
                <Empty icon={Eye} title={t('guard.none')}>
                  {t('guard.noneHelp')}
                </Empty>
              }
            />
          )}
        </div>
      </Panel>
      <Try />
      {editing && <EditGuard policy={editing === 'new' ? undefined : editing} onClose={() => setEditing(null)} />}
      <Confirm
        open={deleting !== null}
        onClose={() => setDeleting(null)}
        title={t('waf.deleteTitle', { name: deleting?.metadata.name ?? '' })}
        text={t('guard.deleteText')}
        action={t('common.delete')}
        onConfirm={async () => {
          if (!deleting) return;
          await remove(guardPolicies, deleting.metadata.name, deleting.metadata.namespace);
          toast(t('waf.deleted', { name: deleting.metadata.name }));
          await refresh(guardPolicies);
        }}
      />
    </>
  );
}
