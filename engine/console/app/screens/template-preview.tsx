// A template's dashboard with the live values of one of its devices.
import { useEffect } from 'preact/hooks';
import type { Template } from '../api/types.ts';
import { Grid } from '../layout/grid.tsx';
import { watch } from '../live/socket.ts';

export default function Preview({ template, device }: { template: Template; device: number }) {
  useEffect(() => {
    if (!device) return;
    const set = watch({ what: ['values', 'presence'], select: { devices: [device] }, pins: 'all' });
    return () => set.close();
  }, [device]);
  return <>{template.layout.pages.map((page) => <section key={page.id} class="stack tight"><h2>{page.title}</h2><Grid page={page} device={device} streams={template.streams} mayControl={false} /></section>)}</>;
}
