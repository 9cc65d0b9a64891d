import { Component, provideZonelessChangeDetection, signal } from '@angular/core';
import { bootstrapApplication } from '@angular/platform-browser';

@Component({
  selector: 'app-root',
  template: `
    @if (items(); as found) {
      <main>
        <h1>Angular</h1>
        <p>{{ found.words }}</p>
        @for (name of found.names; track name) { <a [href]="'/angular/' + name">{{ name }}</a> }
      </main>
    } @else { <p>Loading</p> }
  `,
})
class Page {
  items = signal<{ words: string; names: string[] } | null>(null);

  async ngOnInit() {
    this.items.set(await (await fetch('/items.json')).json());
    document.title = 'Angular';
  }
}

bootstrapApplication(Page, { providers: [provideZonelessChangeDetection()] });
