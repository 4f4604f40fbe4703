import ends from './ends.en.json';
export default ends;
