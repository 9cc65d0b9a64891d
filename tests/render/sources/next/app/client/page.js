'use client';

import { useEffect, useState } from 'react';
import { Items } from '../items';

export default function Page() {
  const [items, setItems] = useState(null);
  useEffect(() => {
    fetch('/items.json').then(reply => reply.json()).then(found => {
      document.title = 'Next';
      setItems(found);
    });
  }, []);
  return items ? <Items {...items} /> : <p>Loading</p>;
}
