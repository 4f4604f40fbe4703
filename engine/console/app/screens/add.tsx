// Add a device: three doors; then the token, once; then the waiting room, where every attempt appears with its reason.
import { useEffect } from 'preact/hooks';
import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { post } from '../api/client.ts';
import type { MadeDevice, Page, TemplateLine } from '../api/types.ts';
import { useAsk, useDo } from '../api/use.ts';
import { attempts, watchAttempts } from '../live/attempts.ts';
import { serverNow } from '../live/clock.ts';
import { watch } from '../live/socket.ts';
import { asText, pinsOf, pinsSeen, presence, reading } from '../live/store.ts';
import { pinName } from '../live/messages.ts';
import { Age, Copy, Empty, Failed, Field, Head, Line, Note, Secret, Segments } from '../parts/basic.tsx';
import { Icon, type IconName } from '../parts/icon.tsx';
import { go, search, setSearch } from '../router.ts';
import { may, O } from '../session.ts';
import { endFix, endSentence, loadEnds } from '../words/ends.ts';
import { t, type Key } from '../words/words.ts';
import { edgent, hotspotLink, sketch, type Board } from './sketch.ts';

type Door = 'virtual' | 'sketch' | 'hotspot';
const DOORS: { door: Door; icon: IconName }[] = [{ door: 'virtual', icon: 'play' }, { door: 'sketch', icon: 'code' }, { door: 'hotspot', icon: 'phone' }];

function Doors({ value, onValue }: { value: Door; onValue: (door: Door) => void }) {
  return (
    <fieldset class="doors">
      <legend class="sr">{t('add.how')}</legend>
      {DOORS.map(({ door, icon }) => (
        <label key={door} class={`door ${value === door ? 'on' : ''}`}>
          <input type="radio" name="door" value={door} checked={value === door} onChange={() => onValue(door)} class="sr" />
          <span class="sign"><Icon name={icon} size={22} /></span>
          <strong>{t(`door.${door}` as Key)}</strong>
          <span class="muted small">{t(`door.${door}.text` as Key)}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Start({ door, onMade }: { door: Door; onMade: (made: MadeDevice) => void }) {
  const name = useSignal(t('add.name.first'));
  const template = useSignal('');
  const templates = useAsk<Page<TemplateLine>>(may('template.view') ? `${O.value}/templates` : null);
  const { busy, problem, run } = useDo();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const made = await post<MadeDevice>(`${O.value}/devices`, { name: name.value.trim(), template: template.value || null, virtual: door === 'virtual' });
      if (door === 'virtual') go(`/devices/${made.id}`);
      else onMade(made);
    });
  };
  const known = templates.body.value?.items ?? [];
  return (
    <form class="card pad form two" onSubmit={submit}>
      <Line label={t('name')} value={name.value} onValue={(v) => { name.value = v; }} required maxLength={64} />
      {known.length > 0 && door !== 'virtual' && (
        <Field label={t('template')} hint={t('add.template.hint')}>
          {(attributes) => (
            <select {...attributes} value={template.value} onChange={(event) => { template.value = event.currentTarget.value; }}>
              <option value="">{t('add.template.none')}</option>
              {known.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
            </select>
          )}
        </Field>
      )}
      <div class="full"><Failed problem={problem.value} /></div>
      <div class="full row"><button type="submit" class="button primary" aria-busy={busy.value}>{t(`door.${door}.go` as Key)}</button></div>
    </form>
  );
}

function Hotspot({ made }: { made: MadeDevice }) {
  const ssid = useSignal('');
  const password = useSignal('');
  return (
    <section class="card pad stack">
      <h2>{t('hotspot.title')}</h2>
      {location.protocol !== 'https:' && <Note tone="warning">{t('hotspot.tls')}</Note>}
      <ol class="steps">
        <li>{t('hotspot.1')}</li>
        <li>
          <p>{t('hotspot.2')}</p>
          <div class="form two">
            <Line label={t('hotspot.ssid')} value={ssid.value} onValue={(v) => { ssid.value = v; }} maxLength={32} autocomplete="off" />
            <Line label={t('hotspot.password')} value={password.value} onValue={(v) => { password.value = v; }} maxLength={63} autocomplete="off" />
          </div>
          <p class="muted small">{t('hotspot.private')}</p>
        </li>
        <li>
          <p>{t('hotspot.3')}</p>
          <a class="button" target="_blank" rel="noreferrer" href={hotspotLink(made, ssid.value, password.value)}>{t('hotspot.send')}</a>
        </li>
        <li>{t('hotspot.4')}</li>
      </ol>
      <details>
        <summary>{t('hotspot.own')}</summary>
        <dl class="facts">
          <dt>{t('hotspot.host')}</dt><dd class="mono">{made.host}</dd>
          <dt>{t('hotspot.port')}</dt><dd class="mono">{String(made.port_tls)}</dd>
          <dt>{t('token')}</dt><dd class="mono">{made.token}</dd>
        </dl>
        <a href="http://192.168.4.1/" target="_blank" rel="noreferrer">{t('hotspot.form')}</a>
      </details>
    </section>
  );
}

function Sketch({ made }: { made: MadeDevice }) {
  const board = useSignal<Board>('esp32');
  const text = board.value === 'edgent' ? edgent(made) : sketch(made, board.value);
  return (
    <section class="card">
      <header>
        <h2>{t('sketch.title')}</h2>
        <div class="row">
          <Segments label={t('sketch.board')} value={board.value} onValue={(next) => { board.value = next; }} options={[
            { value: 'esp32', text: 'ESP32' }, { value: 'esp8266', text: 'ESP8266' }, { value: 'python', text: 'Python' }, { value: 'edgent', text: 'Edgent' },
          ]} />
          <Copy text={text} label={t('sketch.copy')} plain />
        </div>
      </header>
      <pre class="code flat" tabIndex={0} aria-label={t('sketch.title')}><code>{text}</code></pre>
    </section>
  );
}

/** Every attempt to log in, as it comes, with the sentence of the diary and the way out. */
export function Attempts() {
  loadEnds();
  useEffect(watchAttempts, []);
  const list = attempts.value;
  if (list.length === 0) return <div class="quiet-wait"><span class="pulse" aria-hidden="true" /><p class="muted">{t('waiting.none')}</p></div>;
  return (
    <ul class="attempts-list" aria-live="polite">
      {list.map((one) => (
        <li key={`${one.address} ${one.code}`}>
          <Icon name="warning" size={18} />
          <div class="grow">
            <p>{t('attempt.line', { address: one.address, reason: endSentence(one.code) })}</p>
            <p class="muted small">{endFix(one.code)}</p>
          </div>
          <span class="muted small end"><Age at={one.at_ms} />{one.count > 1 && <><br />{t('attempt.count', { n: one.count })}</>}</span>
        </li>
      ))}
    </ul>
  );
}

/** Waits for one device: its presence and its first values. */
function Arrival({ made }: { made: MadeDevice }) {
  const begun = useSignal(serverNow());
  const state = presence(made.id);
  useEffect(() => {
    const set = watch({ what: ['values', 'presence'], select: { devices: [made.id] }, pins: 'all' });
    return () => set.close();
  }, [made.id]);
  const online = useComputed(() => state.value?.state === 'online');
  const pins = useComputed(() => { void pinsSeen.value; return pinsOf(made.id); });
  return (
    <section class="card pad stack" aria-live="polite">
      <div class="row apart">
        <h2>{online.value ? t('waiting.here', { name: made.name }) : t('waiting.for', { name: made.name })}</h2>
        {online.value && <a class="button primary" href={`/devices/${made.id}`}>{t('waiting.open')}</a>}
      </div>
      {online.value
        ? <div class="first-pins">{pins.value.map((pin) => <span key={pin} class="badge accent">{pinName(pin)}<strong class="tabular">{asText(reading(made.id, pin).value.value)}</strong></span>)}{pins.value.length === 0 && <span class="muted">{t('waiting.nopins')}</span>}</div>
        : <p class="muted" aria-live="off">{t('waiting.since')} <Age at={begun.value} /></p>}
      <h3>{t('waiting.attempts')}</h3>
      <Attempts />
    </section>
  );
}

function WaitingRoom() {
  return (
    <div class="screen narrow">
      <Head title={t('waiting.title')} lead={t('waiting.lead')} crumb={{ href: '/devices', text: t('nav.devices') }}>
        {may('device.create') && <a class="button" href="/devices/add"><Icon name="plus" size={18} />{t('add.title')}</a>}
      </Head>
      <section class="card pad"><Attempts /></section>
    </div>
  );
}

export default function Add({ id }: { id: string; tab: string }) {
  const door = useSignal<Door>((search.peek().get('door') as Door | null) ?? 'virtual');
  const made = useSignal<MadeDevice | null>(null);
  useSignalEffect(() => { if (door.value !== (search.peek().get('door') ?? 'virtual')) setSearch({ door: door.value }); });
  if (id === 'waiting') return <WaitingRoom />;
  if (!may('device.create')) return <Empty top icon="lock" tone="neutral" title={t('wrong.forbidden')} text={t('wrong.forbidden.text')} />;
  const one = made.value;
  if (one) {
    return (
      <div class="screen narrow">
        <Head title={one.name} lead={t('add.made')} crumb={{ href: '/devices', text: t('nav.devices') }} />
        <section class="card pad stack tight">
          <span class="label">{t('token')}</span>
          <Secret text={one.token} label={t('token.copy')} />
          <p class="muted small">{t('token.once')}</p>
        </section>
        {door.value === 'hotspot' ? <Hotspot made={one} /> : <Sketch made={one} />}
        <Arrival made={one} />
      </div>
    );
  }
  return (
    <div class="screen narrow">
      <Head title={t('add.title')} lead={t('add.lead')} crumb={{ href: '/devices', text: t('nav.devices') }} />
      <Doors value={door.value} onValue={(next) => { door.value = next; }} />
      <Start door={door.value} onMade={(device) => { made.value = device; }} />
    </div>
  );
}

