// SPDX-License-Identifier: Apache-2.0
import { Filter, ScrollText } from 'lucide-react';
import { useRef, useState } from 'react';
import { useI18n } from '../../i18n';
import { Button, LinkButton } from '../../ui/Button';
import { CopyIcon } from '../../ui/Code';
import { Drawer } from '../../ui/Dialog';
import { Facts } from '../../ui/Page';
import { Found, RuleBlock, Score, VerdictBadge } from './Found';
import type { Hit, Part } from './hits';

function Parts({ parts, cut, shown, onShow }: { parts: Part[]; cut: boolean; shown: number; onShow: (rule: number) => void }) {
  const { t } = useI18n();
  return (
    <section className="stack-s">
      <h3>{t('waf.parts')}</h3>
      <ul className="parts">
        {parts.map((part, i) => (
          <li key={`${part.rule}.${i}`}>
            <button type="button" aria-pressed={shown === part.rule} onClick={() => onShow(part.rule)} className="mono">
              {part.rule}
            </button>
            <span className="mono small second break grow">{part.variable}</span>
            <span className="num nowrap">{part.refuses ? t('waf.refuses') : part.points > 0 ? `+${part.points}` : '–'}</span>
          </li>
        ))}
      </ul>
      {cut && <p className="muted small">{t('waf.partsCut')}</p>}
    </section>
  );
}

function Body({ hit }: { hit: Hit }) {
  const { t, f } = useI18n();
  const [rule, setRule] = useState(Number(hit.rule));
  return (
    <>
      <Found {...hit} />
      <Facts
        items={[
          { label: t('audit.time'), value: f.dateTime(hit.event.time) },
          { label: t('waf.score'), value: <Score score={hit.score} threshold={hit.threshold} /> },
          { label: t('waf.path'), value: <span className="mono">{hit.path || '–'}</span> },
          { label: t('waf.service'), value: hit.service || hit.namespace || '–' },
          { label: t('audit.actor'), value: hit.event.actor ?? t('audit.nobody') },
          { label: t('audit.source'), value: <span className="mono">{hit.event.source ?? '–'}</span> },
          {
            label: t('waf.reference'),
            value: (
              <span className="row">
                <span className="mono break">{hit.requestId || '–'}</span>
                {hit.requestId && <CopyIcon text={hit.requestId} label={t('waf.copyReference')} />}
              </span>
            ),
          },
        ]}
      />
      {hit.parts.length > 0 && <Parts parts={hit.parts} cut={hit.cut} shown={rule} onShow={setRule} />}
      {Number.isInteger(rule) && (
        <section className="stack-s">
          <h3>{t('waf.ruleText', { id: String(rule) })}</h3>
          <RuleBlock id={rule} />
        </section>
      )}
    </>
  );
}

export function HitDrawer({ hit, onClose, onExclude }: { hit: Hit | null; onClose: () => void; onExclude: (hit: Hit) => void }) {
  const { t } = useI18n();
  const last = useRef(hit); // stays drawn while the drawer slides away
  if (hit) last.current = hit;
  const shown = hit ?? last.current;
  return (
    <Drawer
      open={hit !== null}
      onClose={onClose}
      eyebrow={shown && <VerdictBadge verdict={shown.refused ? 'refused' : 'detected'} />}
      title={shown?.message ?? t('waf.hits')}
      footer={
        shown && (
          <>
            <LinkButton href={`/audit/${shown.event.index}`} icon={ScrollText}>
              {t('waf.record')}
            </LinkButton>
            <Button
              variant="primary"
              icon={Filter}
              disabled={shown.parts.length === 0}
              onClick={() => {
                onClose();
                onExclude(shown);
              }}
            >
              {t('waf.exclude')}
            </Button>
          </>
        )
      }
    >
      {shown && <Body key={shown.event.index} hit={shown} />}
    </Drawer>
  );
}
