import ends from './ends.de.json';
export default ends;
