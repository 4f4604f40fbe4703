// Icons: 20 by 20, drawn in strokes of the text's colour. Always beside a text or a name, so hidden from readers.
const PATHS = {
  devices: 'M4 6.5h12v7H4zM7 16.5h6M10 13.5v3M7.5 10h.01M10 10h2.5',
  templates: 'M3.5 4h13v4.5h-13zM3.5 11.5h5.5V16H3.5zM12 11.5h4.5V16H12z',
  events: 'M10 3.5a4.5 4.5 0 0 0-4.5 4.5c0 4-1.5 5.5-1.5 5.5h12s-1.5-1.5-1.5-5.5A4.5 4.5 0 0 0 10 3.5zM8.5 16.5h3',
  people: 'M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 16.5c0-2.8 2.2-4.5 5-4.5s5 1.7 5 4.5M13 4a2.8 2.8 0 0 1 0 5.4M14.5 12.2c1.8.5 3 2 3 4.3',
  server: 'M3.5 4h13v5h-13zM3.5 11h13v5h-13zM6.5 6.5h.01M6.5 13.5h.01M9.5 6.5h4M9.5 13.5h4',
  me: 'M10 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4 16.5c0-2.8 2.7-4.5 6-4.5s6 1.7 6 4.5',
  more: 'M5 10h.01M10 10h.01M15 10h.01',
  plus: 'M10 4.5v11M4.5 10h11',
  search: 'M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13 13l3.5 3.5',
  close: 'M5.5 5.5l9 9M14.5 5.5l-9 9',
  check: 'M4.5 10.5l3.5 3.5 7.5-8',
  down: 'M5.5 8l4.5 4.5L14.5 8',
  up: 'M5.5 12L10 7.5l4.5 4.5',
  next: 'M8 5.5l4.5 4.5L8 14.5',
  back: 'M12 5.5L7.5 10l4.5 4.5',
  undo: 'M4.5 8.5h8a3.5 3.5 0 0 1 0 7H8M4.5 8.5l3.5-3.5M4.5 8.5L8 12',
  redo: 'M15.5 8.5h-8a3.5 3.5 0 0 0 0 7H12M15.5 8.5L12 5M15.5 8.5L12 12',
  edit: 'M4 16l.8-3.3L13 4.5l2.5 2.5-8.2 8.2zM11.5 6l2.5 2.5',
  trash: 'M4.5 6h11M8 6V4h4v2M6 6l.6 10h6.8L14 6M8.5 9v4.5M11.5 9v4.5',
  copy: 'M7 7h9v9H7zM13 7V4H4v9h3',
  download: 'M10 3.5v9M6.5 9l3.5 3.5L13.5 9M4 16.5h12',
  warning: 'M10 3.5l7 12.5H3zM10 8.5v3.5M10 14h.01',
  fault: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 6.5v4.5M10 13.5h.01',
  good: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM7 10.2l2.2 2.2L13.2 8',
  about: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 9v4.5M10 6.5h.01',
  lock: 'M5 9h10v7.5H5zM7 9V6.5a3 3 0 0 1 6 0V9',
  link: 'M8.5 11.5a3 3 0 0 0 4.2 0l2.8-2.8a3 3 0 0 0-4.2-4.2L10 5.8M11.5 8.5a3 3 0 0 0-4.2 0l-2.8 2.8a3 3 0 0 0 4.2 4.2l1.3-1.3',
  cut: 'M3.5 3.5l13 13M8.3 8.5a3 3 0 0 0-1 .8l-2.8 2.8a3 3 0 0 0 4.2 4.2L10 15M12.7 11.3l2.8-2.6a3 3 0 0 0-4.2-4.2L10 5.8',
  chip: 'M6 6h8v8H6zM8 3.5V6M12 3.5V6M8 14v2.5M12 14v2.5M3.5 8H6M3.5 12H6M14 8h2.5M14 12h2.5',
  wave: 'M3 10h3l2-5 4 10 2-5h3',
  phone: 'M6.5 3h7v14h-7zM9.5 14.5h1',
  code: 'M7 6l-4 4 4 4M13 6l4 4-4 4',
  play: 'M7 4.5v11l8.5-5.5z',
  pause: 'M7 4.5v11M13 4.5v11',
  chart: 'M3.5 3.5v13h13M6.5 12.5l3-3.5 2.5 2 4-5',
  table: 'M3.5 4.5h13v11h-13zM3.5 8.5h13M8.5 8.5v7',
  clock: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 6v4l2.5 2',
  key: 'M7 13a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM10.5 9.5h6.5M14 9.5V12M16.5 9.5v2',
  settings: 'M4 6h7M14.5 6H16M4 14h1.5M9 14h7M12.75 7.75a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5zM7.25 15.75a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5z',
  out: 'M8.5 3.5h-5v13h5M8 10h9M13.5 6.5L17 10l-3.5 3.5',
  history: 'M3.5 10a6.5 6.5 0 1 0 2-4.7L3.5 7M3.5 3.5V7H7M10 6.5V10l2.5 1.5',
  org: 'M3.5 16.5v-13h8v13M11.5 8h5v8.5M2.5 16.5h15M6 6.5h.01M9 6.5h.01M6 9.5h.01M9 9.5h.01M6 12.5h.01M9 12.5h.01',
  mail: 'M3 5h14v10.5H3zM3 6l7 5 7-5',
  grip: 'M7.5 5h.01M12.5 5h.01M7.5 10h.01M12.5 10h.01M7.5 15h.01M12.5 15h.01',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20, flip }: { name: IconName; size?: number; flip?: boolean }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width={name === 'more' || name === 'grip' ? 2.25 : 1.5}
      stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" class={flip ? 'flip' : undefined}>
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Mark({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 64 64" aria-hidden="true">
      <rect width="64" height="64" rx="14" fill="#0b6b58" />
      <circle cx="32" cy="23" r="9" fill="none" stroke="#fff" stroke-width="5" />
      <path d="M32 32v20" stroke="#fff" stroke-width="6" stroke-linecap="round" />
      <path d="M21 42h22" stroke="#8fe0c6" stroke-width="5" stroke-linecap="round" />
    </svg>
  );
}
