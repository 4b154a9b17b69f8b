// A flash chip drawn to scale, with what lies where; and the same as a table.
import type { JSX } from 'preact'
import { bytes, t } from '../shared/i18n.ts'
import type { FlashMap } from '../shared/types.ts'

const hex = (value: number): string => `0x${value.toString(16)}`
const slots: Record<string, string> = { user1: 'fill-busy', user2: 'fill-good', boot: 'fill-warn' }

/**
 * @param image  where an image would lie, and its size; drawn over the slot
 * @param slot   the slot that runs
 */
export function FlashDrawing ({ map, image, slot }: {
  map: FlashMap
  image?: { slot: string, size: number } | undefined
  slot?: string | null
}): JSX.Element {
  const width = 1000
  const x = (address: number): number => address / map.size * width
  const outer = map.regions.filter(region => region.within === undefined)
  const target = image === undefined ? undefined : map.regions.find(region => region.name === image.slot)
  return (
    <figure style="margin: 0">
      <svg class="map" viewBox={`0 0 ${width} 74`} role="img" aria-label={t('flash.drawing', { size: bytes(map.size) })}>
        {outer.map(region => (
          <g key={region.name}>
            <rect x={x(region.address)} y={18} width={Math.max(1.5, x(region.size))} height={30}
              class={slots[region.name] ?? 'fill-idle'} fill-opacity={slots[region.name] === undefined ? 0.18 : 0.35}>
              <title>{`${region.name} ${hex(region.address)} ${bytes(region.size)}`}</title>
            </rect>
            {x(region.size) > 60 && <text x={x(region.address) + 5} y={37}>{region.name}{region.name === slot ? ` (${t('runs')})` : ''}</text>}
            {x(region.size) > 60 && <text x={x(region.address) + 2} y={62}>{hex(region.address)}</text>}
          </g>
        ))}
        {target !== undefined && image !== undefined && <>
          <rect x={x(target.address)} y={10} width={Math.max(2, x(image.size))} height={6}
            class={image.size <= target.size ? 'fill-good' : 'fill-bad'} />
          <text x={x(target.address)} y={8}>{bytes(image.size)}</text>
        </>}
      </svg>
      <details>
        <summary>{t('chart.table')}</summary>
        <table>
          <caption class="hidden">{t('flash.drawing', { size: bytes(map.size) })}</caption>
          <thead><tr><th scope="col">{t('flash.region')}</th><th scope="col" class="number">{t('flash.address')}</th><th scope="col" class="number">{t('size')}</th></tr></thead>
          <tbody>
            {map.regions.map(region => <tr key={region.name}>
              <th scope="row">{region.within === undefined ? '' : '· '}{region.name}</th>
              <td class="number mono">{hex(region.address)}</td><td class="number">{bytes(region.size)}</td>
            </tr>)}
          </tbody>
        </table>
      </details>
    </figure>
  )
}
