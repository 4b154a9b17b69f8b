// Time series, drawn by uPlot; beside each the same numbers as a table, for those who cannot see it or want to copy it.
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { language, number, t, time } from '../shared/i18n.ts'

export interface Series { name: string, counts: number[] }

const inks = ['--accent', '--good', '--warn', '--bad', '--soft']
const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4]]

export function Chart ({ title, times, series }: { title: string, times: string[], series: Series[] }): JSX.Element {
  const place = useRef<HTMLDivElement>(null)

  useEffect(() => {
    const box = place.current
    if (box === null || times.length === 0) {
      return
    }
    const draw = (): uPlot => {
      const style = getComputedStyle(document.documentElement)
      const colour = (name: string): string => {
        // Canvas does not resolve light-dark(): an element does.
        const probe = document.createElement('span')
        probe.style.color = style.getPropertyValue(name)
        box.append(probe)
        const resolved = getComputedStyle(probe).color
        probe.remove()
        return resolved
      }
      const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } }
      return new uPlot({
        width: Math.max(240, box.clientWidth),
        height: 220,
        cursor: { drag: { x: false, y: false } },
        axes: [axis, { ...axis, values: (_, ticks) => ticks.map(tick => number(tick)) }],
        series: [{ value: (_, at) => at === null ? '' : time(new Date(at * 1000)) }, ...series.map((one, i) => ({
          label: one.name, stroke: colour(inks[i % inks.length] ?? '--ink'), width: 2, dash: dashes[i % dashes.length] ?? [],
          points: { show: false }
        }))]
      }, [times.map(at => Date.parse(at) / 1000), ...series.map(one => one.counts)], box)
    }
    let plot = draw()
    const again = (): void => { plot.destroy(); plot = draw() }
    const watch = new ResizeObserver(() => { plot.setSize({ width: Math.max(240, box.clientWidth), height: 220 }) })
    const themes = new MutationObserver(again)
    watch.observe(box)
    themes.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
    return () => { watch.disconnect(); themes.disconnect(); plot.destroy() }
  }, [times, series, language.value])

  if (times.length === 0) {
    return <p class="soft">{t('chart.none')}</p>
  }
  return (
    <figure style="margin: 0">
      <div class="chart" ref={place} aria-hidden="true" />
      <details>
        <summary>{t('chart.table')}</summary>
        <div class="scroll" tabIndex={0} role="region" aria-label={title}>
          <table>
            <caption class="hidden">{title}</caption>
            <thead><tr><th scope="col">{t('time')}</th>{series.map(one => <th key={one.name} scope="col" class="number">{one.name}</th>)}</tr></thead>
            <tbody>
              {times.map((at, i) => <tr key={at}><th scope="row">{time(at)}</th>{series.map(one => <td key={one.name} class="number">{number(one.counts[i] ?? 0)}</td>)}</tr>)}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  )
}
