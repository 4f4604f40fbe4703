// The wire: decoded frames of the device as they pass. Paused and filtered here; downloaded as text.
import { useEffect, useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import type { Report } from '../live/messages.ts';
import { watch } from '../live/socket.ts';
import { Empty } from '../parts/basic.tsx';
import { Icon } from '../parts/icon.tsx';
import { timeExact, t } from '../words/words.ts';
import type { DeviceProps } from './device.tsx';

type Frame = Extract<Report, { kind: 'frame' }>;
/** Frames that are shown; the oldest give way. */
const FRAMES = 500;
const COMMANDS: Record<number, string> = { 0: 'RESPONSE', 2: 'LOGIN', 6: 'PING', 12: 'TWEET', 13: 'EMAIL', 14: 'NOTIFY', 15: 'BRIDGE', 16: 'SYNC', 17: 'INTERNAL', 18: 'SMS', 19: 'PROPERTY', 20: 'HARDWARE', 29: 'HW_LOGIN', 41: 'REDIRECT', 55: 'DEBUG', 64: 'EVENT', 70: 'GROUP' };

const name = (frame: Frame): string => COMMANDS[frame.command] ?? String(frame.command);
/** Text with its separators made visible; other bytes in hexadecimal. */
function body(frame: Frame): string {
  let text = '';
  for (const byte of frame.body) text += byte === 0 ? ' ␀ ' : byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  return text;
}

export default function Wire({ device }: DeviceProps) {
  const frames = useSignal<Frame[]>([]);
  const paused = useSignal(false);
  const filter = useSignal('');
  const skipped = useSignal(0);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let waiting: Frame[] = [];
    const draw = setInterval(() => {
      if (waiting.length === 0) return;
      frames.value = [...frames.peek(), ...waiting].slice(-FRAMES);
      waiting = [];
      const area = box.current;
      if (area && area.scrollHeight - area.scrollTop - area.clientHeight < 120) requestAnimationFrame(() => { area.scrollTop = area.scrollHeight; });
    }, 200);
    const set = watch({
      what: ['frames'], select: { devices: [device.id] },
      onReport: (report) => {
        if (report.kind === 'frame' && report.device === device.id && !paused.peek()) waiting.push(report);
        else if (report.kind === 'skipped') skipped.value += report.count;
      },
    });
    return () => { clearInterval(draw); set.close(); };
  }, [device.id]);
  const wanted = filter.value.toLowerCase();
  const shown = frames.value.filter((frame) => !wanted || `${name(frame)} ${body(frame)}`.toLowerCase().includes(wanted));
  const download = () => {
    const text = frames.value.map((frame) => `${new Date(frame.at_ms).toISOString()}\t${frame.direction}\t${name(frame)}\t${frame.message}\t${body(frame)}`).join('\n');
    const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = `wire-${device.id}.txt`;
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <section class="card" aria-label={t('tab.wire')}>
      <header>
        <div class="searchbox"><Icon name="search" size={16} /><input class="input small" type="search" aria-label={t('wire.filter')} placeholder={t('wire.filter')} value={filter.value} onInput={(event) => { filter.value = event.currentTarget.value; }} /></div>
        <div class="row tight">
          {skipped.value > 0 && <span class="badge warning">{t('wire.skipped', { n: skipped.value })}</span>}
          <button type="button" class="button small" aria-pressed={paused.value} onClick={() => { paused.value = !paused.value; }}><Icon name={paused.value ? 'play' : 'pause'} size={16} />{paused.value ? t('wire.go') : t('wire.pause')}</button>
          <button type="button" class="button small" disabled={frames.value.length === 0} onClick={() => { frames.value = []; skipped.value = 0; }}>{t('wire.clear')}</button>
          <button type="button" class="button small" disabled={frames.value.length === 0} onClick={download}><Icon name="download" size={16} />{t('wire.download')}</button>
        </div>
      </header>
      <div ref={box} class="wire" role="log" aria-live="off" aria-label={t('tab.wire')} tabIndex={0}>
        {shown.length === 0 && <Empty icon="wave" tone="neutral" title={t('wire.none')} text={t('wire.none.text')} />}
        {shown.map((frame, n) => (
          <div key={n} class={`frame ${frame.direction}`}>
            <span class="muted">{timeExact(frame.at_ms)}</span><span>{frame.direction === 'in' ? t('wire.in') : t('wire.out')}</span><b>{name(frame)}</b><span class="muted id">{String(frame.message)}</span><span class="body">{body(frame)}</span>
          </div>
        ))}
      </div>
    </section>
  );
}
