export function Items({ words, names }) {
  return (
    <main>
      <h1>Next</h1>
      <p>{words}</p>
      {names.map(name => <a key={name} href={'/next/' + name}>{name}</a>)}
    </main>
  );
}
