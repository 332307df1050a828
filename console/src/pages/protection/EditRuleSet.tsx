// SPDX-License-Identifier: Apache-2.0
import { type FormEvent, useState } from 'react';
import { useRefresh } from '../../api/hooks';
import { amend, create } from '../../api/kube';
import { useI18n } from '../../i18n';
import { isName, lines } from '../../lib/validate';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { TextArea, TextField } from '../../ui/Field';
import { ErrorNotice } from '../../ui/Notice';
import { useTask } from '../../ui/task';
import { toast } from '../../ui/Toast';
import { wafRuleSets, type WafRuleSet } from './kinds';

export function EditRuleSet({ set, onClose }: { set?: WafRuleSet; onClose: () => void }) {
  const { t } = useI18n();
  const refresh = useRefresh();
  const [name, setName] = useState(set?.metadata.name ?? '');
  const [files, setFiles] = useState(set?.spec.files?.join('\n') ?? '');
  const [rules, setRules] = useState(set?.spec.rules ?? '');
  const [tried, setTried] = useState(false);
  const { busy, error, run } = useTask();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!isName(name)) return;
    void run(async () => {
      const list = lines(files);
      if (set) await amend(wafRuleSets, set, { files: list.length > 0 ? list : null, rules: rules.trim() ? rules : null });
      else await create(wafRuleSets, { metadata: { name }, spec: { ...(list.length > 0 && { files: list }), ...(rules.trim() && { rules }) } });
      toast(t('waf.saved', { name }), t('waf.excludedSoon'));
      await refresh(wafRuleSets);
      onClose();
    });
  };
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={set ? name : t('waf.newRuleSet')}
      description={t('waf.editSetText')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="edit-rule-set" busy={busy}>
            {t(set ? 'common.save' : 'common.create')}
          </Button>
        </>
      }
    >
      <form id="edit-rule-set" className="stack" noValidate onSubmit={submit}>
        {error !== null && <ErrorNotice error={error} />}
        <TextField label={t('common.name')} mono maxLength={63} readOnly={set !== undefined} value={name} error={tried && !isName(name) ? t('form.name') : undefined} onChange={(event) => setName(event.target.value)} />
        <TextArea label={t('waf.files')} hint={t('waf.filesHint')} mono rows={3} spellCheck={false} value={files} onChange={(event) => setFiles(event.target.value)} />
        <TextArea label={t('waf.ownRules')} hint={t('waf.ownRulesHint')} mono rows={8} spellCheck={false} value={rules} placeholder={'SecRule REQUEST_HEADERS:X-Colour "@streq mauve" "id:100,phase:1,deny,status:403"'} onChange={(event) => setRules(event.target.value)} />
      </form>
    </Dialog>
  );
}
