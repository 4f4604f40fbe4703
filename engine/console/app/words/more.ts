import catalogue from './en.more.json';
export default catalogue;
