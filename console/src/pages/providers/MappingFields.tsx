// SPDX-License-Identifier: Apache-2.0
// From claims to a user, groups and the namespaces that these open: rules, and what they make of a person's claims.
import { Plus, Trash2, Users } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useList } from '../../api/hooks';
import { clusterRoleBindings, roleBindings } from '../../api/kube';
import type { ClaimRule, Mapping } from '../../api/provider';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { TextArea, TextField } from '../../ui/Field';
import { Notice } from '../../ui/Notice';
import { Facts } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { AssignRole } from '../access/AssignRole';
import { previewOf } from './mapping';

const RULES_MAX = 64;
const SAMPLES = {
  oidc: { sub: '248289761001', preferred_username: 'jane.doe', name: 'Jane Doe', email: 'jane.doe@corp.example', email_verified: true, groups: ['eng-core', 'tenant-blue-dev'] },
  ldap: { uid: 'jane.doe', cn: 'Jane Doe', mail: 'jane.doe@corp.example', groups: ['eng-core', 'tenant-blue-dev'], memberOf: ['cn=eng-core,ou=groups,dc=corp,dc=example'] },
};

function RuleRow({ rule, label, tried, onChange, onRemove }: { rule: ClaimRule; label: string; tried: boolean; onChange: (change: Partial<ClaimRule>) => void; onRemove: () => void }) {
  const { t } = useI18n();
  const field = (text: string, name: keyof ClaimRule, placeholder: string) => (
    <TextField label={text} mono spellCheck={false} maxLength={256} placeholder={placeholder} value={rule[name] ?? ''} error={name === 'claim' && tried && !rule.claim.trim() ? t('providers.needed') : undefined} onChange={(event) => onChange({ [name]: event.target.value })} />
  );
  return (
    <div className="claim-row" role="group" aria-label={label}>
      {field(t('providers.claim'), 'claim', 'groups')}
      {field(t('providers.match'), 'match', '*')}
      {field(t('providers.template'), 'template', '{0}')}
      <IconButton label={t('providers.removeRule', { name: label })} icon={Trash2} onClick={onRemove} />
    </div>
  );
}

/** What a new user is called; the usual claims when left empty. */
function Names({ mapping, set }: { mapping: Mapping; set: (change: Partial<Mapping>) => void }) {
  const { t } = useI18n();
  const row = (field: 'userName' | 'displayName' | 'email', label: string, usual: string) => {
    const rule = mapping[field];
    const change = (part: Partial<ClaimRule>) => {
      const next = { claim: '', ...rule, ...part };
      set({ [field]: next.claim || next.match || next.template ? next : undefined });
    };
    return (
      <div className="claim-row claim-name" role="group" aria-label={label}>
        <p className="small strong">{label}</p>
        <TextField label={t('providers.claim')} mono maxLength={256} placeholder={usual} value={rule?.claim ?? ''} onChange={(event) => change({ claim: event.target.value })} />
        <TextField label={t('providers.match')} mono maxLength={256} placeholder="*" value={rule?.match ?? ''} onChange={(event) => change({ match: event.target.value })} />
        <TextField label={t('providers.template')} mono maxLength={256} placeholder="{0}" value={rule?.template ?? ''} onChange={(event) => change({ template: event.target.value })} />
      </div>
    );
  };
  return (
    <details className="more" open={Boolean(mapping.userName ?? mapping.displayName ?? mapping.email)}>
      <summary>{t('providers.names')}</summary>
      <div className="stack-s">
        {row('userName', t('providers.userName'), 'preferred_username, uid')}
        {row('displayName', t('providers.displayNameOf'), 'name, cn')}
        {row('email', t('providers.emailOf'), 'email, mail')}
      </div>
    </details>
  );
}

export function MappingFields({ mapping, tried, set }: { mapping: Mapping; tried: boolean; set: (change: Partial<Mapping>) => void }) {
  const { t } = useI18n();
  const rules = mapping.groups ?? [];
  const put = (groups: ClaimRule[]) => set({ groups });
  return (
    <div className="stack">
      <p className="second small">{t('providers.mappingText', { 0: '{0}', 1: '{1}' })}</p>
      {rules.length > 0 && (
        <div className="stack-s">
          {rules.map((rule, i) => (
            // Rules have no name; a row keeps its place.
            <RuleRow key={i} rule={rule} label={t('providers.rule', { n: i + 1 })} tried={tried} onChange={(change) => put(rules.map((each, at) => (at === i ? { ...each, ...change } : each)))} onRemove={() => put(rules.filter((_, at) => at !== i))} />
          ))}
        </div>
      )}
      {rules.length < RULES_MAX && (
        <div>
          <Button small icon={Plus} onClick={() => put([...rules, { claim: 'groups', match: '', template: '' }])}>
            {t('providers.addRule')}
          </Button>
        </div>
      )}
      <Names mapping={mapping} set={set} />
    </div>
  );
}

/** Where a group has a role, by the bindings that the reader may see. */
function useReach() {
  const everywhere = useList(clusterRoleBindings);
  const local = useList(roleBindings);
  return useMemo(() => {
    const of = new Map<string, { namespace: string; role: string }[]>();
    for (const binding of [...(everywhere.data ?? []), ...(local.data ?? [])]) {
      for (const subject of binding.subjects ?? []) {
        if (subject.kind === 'Group') of.set(subject.name, [...(of.get(subject.name) ?? []), { namespace: binding.metadata.namespace ?? '', role: binding.roleRef.name }]);
      }
    }
    return of;
  }, [everywhere.data, local.data]);
}

function GroupReach({ group, reach, onAssign }: { group: string; reach: { namespace: string; role: string }[]; onAssign: () => void }) {
  const { t } = useI18n();
  return (
    <li className="group-reach">
      <div className="grow">
        <p className="mono break">{group}</p>
        {reach.length === 0 ? (
          <p className="muted small">{t('providers.noRole')}</p>
        ) : (
          <ul className="row-wrap small">
            {reach.map(({ namespace, role }) => (
              <li key={`${namespace}/${role}`}>
                <Badge tone={namespace ? 'accent' : 'warn'}>
                  {namespace || t('access.everywhere')} · <span className="mono">{role}</span>
                </Badge>
              </li>
            ))}
          </ul>
        )}
      </div>
      <Button small aria-label={t('providers.assignOne', { name: group })} onClick={onAssign}>
        {t('providers.assign')}
      </Button>
    </li>
  );
}

export function MappingPreview({ mapping, sort }: { mapping: Mapping; sort: 'oidc' | 'ldap' }) {
  const { t } = useI18n();
  const [text, setText] = useState(() => JSON.stringify(SAMPLES[sort], null, 2));
  const [assigning, setAssigning] = useState<string | null>(null);
  const reach = useReach();
  let claims: unknown = null;
  let broken: string | undefined;
  try {
    claims = JSON.parse(text);
  } catch (cause) {
    broken = t('objects.broken', { why: cause instanceof Error ? cause.message : '' });
  }
  const made = previewOf(mapping, claims);
  return (
    <div className="grid-2">
      <TextArea label={t('providers.sample')} hint={t('providers.sampleHint')} mono rows={12} spellCheck={false} value={text} error={broken} onChange={(event) => setText(event.target.value)} />
      <div className="stack" aria-live="polite">
        {!broken && made.userName === '' && <Notice tone="bad">{t('providers.noName')}</Notice>}
        <Facts
          items={[
            { label: t('providers.userName'), value: made.userName ? <code>{made.userName}</code> : '–' },
            { label: t('providers.displayNameOf'), value: made.displayName || '–' },
            { label: t('providers.emailOf'), value: made.email || '–' },
          ]}
        />
        <div className="stack-s">
          <h3 className="row">
            <Users className="icon" aria-hidden="true" />
            {t('providers.groupsOf')}
          </h3>
          {made.groups.length === 0 ? (
            <p className="muted small">{t('providers.noGroups')}</p>
          ) : (
            <ul className="group-list">
              {made.groups.map((group) => (
                <GroupReach key={group} group={group} reach={reach.get(group) ?? []} onAssign={() => setAssigning(group)} />
              ))}
            </ul>
          )}
          {made.refused.length > 0 && <Notice tone="warn">{t('providers.refused', { names: made.refused.join(', ') })}</Notice>}
        </div>
      </div>
      {assigning && <AssignRole subject={{ kind: 'Group', name: assigning }} onClose={() => setAssigning(null)} />}
    </div>
  );
}
