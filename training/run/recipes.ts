import { readdir, readFile } from 'node:fs/promises'
import { didYouMean, ValuetrainError } from '../../core/errors.ts'

const FOLDER = new URL('../recipes/', import.meta.url)

/** Returns the names of the recipes that come with the package, sorted. */
export async function recipeNames(): Promise<string[]> {
  const files = await readdir(FOLDER)
  return files
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort()
}

/** Returns a recipe's YAML. @throws VT_RECIPE_UNKNOWN with the nearest name */
export async function readRecipe(name: string): Promise<string> {
  const known = await recipeNames()
  if (known.includes(name)) return readFile(new URL(`${name}.yaml`, FOLDER), 'utf8')
  throw new ValuetrainError('VT_RECIPE_UNKNOWN', `there is no recipe "${name.slice(0, 80)}"${didYouMean(name, known)}`, {
    hint: `recipes: ${known.join(', ')}`,
  })
}
