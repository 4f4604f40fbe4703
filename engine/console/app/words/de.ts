import catalogue from './de.json';
export default catalogue;
