// One device: what it is, whether it is there, and six tabs.
import { useEffect } from 'preact/hooks';
import { useComputed, useSignal } from '@preact/signals';
import { findDevice } from '../api/devices.ts';
import { FORBIDDEN, Problem } from '../api/client.ts';
import type { Device } from '../api/types.ts';
import { watch } from '../live/socket.ts';
import { presence, putPresence } from '../live/store.ts';
import { Head, Lasting, Presence, Skeleton, Wrong } from '../parts/basic.tsx';
import { lazy } from '../parts/lazy.tsx';
import { rights } from '../live/socket.ts';
import { path } from '../router.ts';
import { mayWith } from '../session.ts';
import { t, type Key } from '../words/words.ts';

export interface DeviceProps { device: Device; may: (permission: string) => boolean; reload: () => void }

const TABS: Record<string, { text: Key; permission: string; screen: ReturnType<typeof lazy<DeviceProps>> }> = {
  dashboard: { text: 'tab.dashboard', permission: 'device.view', screen: lazy<DeviceProps>(() => import('./device-dashboard.tsx')) },
  timeline: { text: 'tab.timeline', permission: 'event.view', screen: lazy<DeviceProps>(() => import('./device-timeline.tsx')) },
  diary: { text: 'tab.diary', permission: 'device.diagnose', screen: lazy<DeviceProps>(() => import('./device-diary.tsx')) },
  values: { text: 'tab.values', permission: 'device.view', screen: lazy<DeviceProps>(() => import('./device-values.tsx')) },
  wire: { text: 'tab.wire', permission: 'device.diagnose', screen: lazy<DeviceProps>(() => import('./device-wire.tsx')) },
  settings: { text: 'tab.settings', permission: 'device.view', screen: lazy<DeviceProps>(() => import('./device-settings.tsx')) },
};

/** Online since, offline since, or never seen; live. */
function StateLine({ device }: { device: Device }) {
  const live = presence(device.id);
  const online = useComputed(() => { const now = live.value; return now ? (now.state === 'never' ? null : now.state === 'online') : device.online; });
  const since = useComputed(() => live.value?.since_ms ?? device.since_ms);
  return (
    <span class="row tight">
      <Presence online={online.value} />
      {online.value !== null && since.value > 0 && <span class="muted"><Lasting from={since.value} /></span>}
      <span class="muted">{'·'}</span>
      <span class="muted">{device.template_name ?? t('devices.notemplate')}</span>
      {device.address && online.value && <><span class="muted">{'·'}</span><span class="muted mono">{device.address}</span></>}
    </span>
  );
}

export default function DeviceScreen({ id, tab }: { id: string; tab: string }) {
  const device = useSignal<Device | null>(null);
  const problem = useSignal<Problem | null>(null);
  const load = async () => {
    try {
      const found = await findDevice(Number(id));
      putPresence(found.id, found.online === null ? 'never' : found.online ? 'online' : 'offline', found.since_ms);
      device.value = found;
      problem.value = null;
    } catch (error) { problem.value = error instanceof Problem ? error : new Problem(0, 'CONSOLE', String(error)); }
  };
  useEffect(() => { void load(); }, [id, rights.value]);
  useEffect(() => { const set = watch({ what: ['presence'], select: { devices: [Number(id)] } }); return () => set.close(); }, [id]);
  // While the server is asked for the device.
  useEffect(() => { (TABS[tab || 'dashboard'] ?? TABS.dashboard!).screen.early(); }, [tab]);
  const one = device.value;
  if (!one) return problem.value ? <Wrong top problem={problem.value} again={() => void load()} /> : <Skeleton />;
  const may = mayWith(one);
  const shown = Object.entries(TABS).filter(([, one]) => may(one.permission));
  const current = TABS[tab || 'dashboard'] ?? TABS.dashboard!;
  const Screen = current.screen;
  const base = `/devices/${one.id}`;
  return (
    <div class="screen">
      <Head title={one.name} crumb={{ href: '/devices', text: t('nav.devices') }} lead={<StateLine device={one} />} />
      <nav class="tabs" aria-label={t('device.tabs')}>
        {shown.map(([name, entry]) => {
          const href = name === 'dashboard' ? base : `${base}/${name}`;
          return <a key={name} href={href} aria-current={path.value === href ? 'page' : undefined}>{t(entry.text)}</a>;
        })}
      </nav>
      {may(current.permission) ? <Screen key={`${one.id} ${one.template}`} device={one} may={may} reload={() => void load()} /> : <Wrong problem={new Problem(403, FORBIDDEN, current.permission)} />}
    </div>
  );
}
