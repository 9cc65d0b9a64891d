import items from '../items.json';
import { Items } from './items';

export const metadata = { title: 'Next' };

export default function Page() {
  return <Items {...items} />;
}
