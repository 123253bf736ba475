// What a failed write means to the person who asked for the file.
import { LcclfError, messageOf, ServiceError, systemCode, UsageError } from '../../errors.ts'

/** A failure while bytes are written or made safe: a full disk, a quota, a broken device. */
export function writeFailure(address: string, thrown: unknown): LcclfError {
  if (thrown instanceof LcclfError) return thrown
  const place = address === '-' ? 'standard output' : address
  switch (systemCode(thrown) ?? '') {
    case 'ENOSPC':
      return new ServiceError(`no space left on the device while writing ${place}`, {
        hint: 'free some space there, or write to another disk; nothing was published',
        cause: thrown,
      })
    case 'EDQUOT':
      return new ServiceError(`the disk quota is used up while writing ${place}`, {
        hint: 'free some space of yours there, or write to another disk; nothing was published',
        cause: thrown,
      })
    case 'EFBIG':
      return new ServiceError(`${place} grows beyond the largest file allowed here`, {
        hint: 'raise the limit (ulimit -f), free space on another disk, or split the run with --shard',
        cause: thrown,
      })
    case 'EIO':
      return new ServiceError(`the device failed while writing ${place}: ${messageOf(thrown)}`, {
        hint: 'check the disk and its free space, or write to another one; nothing was published',
        cause: thrown,
      })
    default:
      return new ServiceError(`cannot write ${place}: ${messageOf(thrown)}`, {
        hint: 'check the disk and its free space, or write to another place',
        cause: thrown,
      })
  }
}

/** A failure to begin a file: the command line names a place that cannot be written. */
export function openFailure(address: string, folder: string, thrown: unknown): LcclfError {
  if (thrown instanceof LcclfError) return thrown
  switch (systemCode(thrown) ?? '') {
    case 'ENOENT':
      return new UsageError(`cannot write ${address}: the folder ${folder} does not exist`, {
        hint: `make it first: mkdir -p ${folder}`,
        cause: thrown,
      })
    case 'ENOTDIR':
      return new UsageError(`cannot write ${address}: ${folder} is not a folder`, {
        hint: 'give the path of a file in a folder that exists',
        cause: thrown,
      })
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new UsageError(`cannot write ${address}: no permission to write into ${folder}`, {
        hint: 'write into a folder of yours, or ask for write permission',
        cause: thrown,
      })
    case 'ENAMETOOLONG':
    case 'ELOOP':
    case 'EINVAL':
      return new UsageError(`cannot write ${address}: ${messageOf(thrown)}`, {
        hint: 'choose another name',
        cause: thrown,
      })
    default:
      return writeFailure(address, thrown)
  }
}
