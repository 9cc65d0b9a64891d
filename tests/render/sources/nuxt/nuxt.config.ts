export default defineNuxtConfig({
  telemetry: false,
  compatibilityDate: '2025-01-01',
  routeRules: { '/client': { ssr: false } },
  nitro: { prerender: { crawlLinks: false, routes: ['/', '/client'] } },
});
