// A fixed beginning for pictures: with MOCK_START the clock of this server begins there. Imported before anything looks at it.
const start = Number(process.env.MOCK_START);
if (start > 0) {
  const real = Date.now.bind(Date);
  const shift = start - real();
  Date.now = () => real() + shift;
}
