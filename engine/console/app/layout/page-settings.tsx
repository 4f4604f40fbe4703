// A page of a dashboard: its title, and who sees it.
import { useAsk } from '../api/use.ts';
import type { Page, Role } from '../api/types.ts';
import { Check, Line } from '../parts/basic.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { may, O } from '../session.ts';
import { t } from '../words/words.ts';
import type { LayoutPage } from './layout.ts';

export function PageSettings({ page, last, onChange, onRemove, onClose }: { page: LayoutPage; last: boolean; onChange: (parts: Partial<LayoutPage>) => void; onRemove: () => void; onClose: () => void }) {
  const roles = useAsk<Page<Role>>(may('role.view') ? `${O.value}/roles` : null);
  const all = roles.body.value?.items ?? [];
  const seen = page.roles ?? all.map((role) => role.id);
  const set = (id: number, on: boolean) => {
    const next = on ? [...seen, id] : seen.filter((one) => one !== id);
    onChange({ roles: next.length === all.length ? null : next });
  };
  return (
    <Dialog title={t('edit.page')} onClose={onClose} foot={<>
      {!last && <button type="button" class="button danger" onClick={onRemove}>{t('edit.page.remove')}</button>}
      <button type="button" class="button primary" onClick={onClose}>{t('done')}</button>
    </>}>
      <Line label={t('name')} value={page.title} maxLength={64} onValue={(title) => onChange({ title })} />
      {all.length > 0 && (
        <fieldset class="field">
          <legend>{t('edit.page.roles')}</legend>
          {all.map((role) => <Check key={role.id} label={role.name} checked={seen.includes(role.id)} onValue={(on) => set(role.id, on)} />)}
        </fieldset>
      )}
    </Dialog>
  );
}
