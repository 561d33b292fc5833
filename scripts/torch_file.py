"""Reads files of PyTorch as data: nothing that stands in them is run, and PyTorch is not needed."""
import array
import io
import pickle
import struct
import zipfile


class Refused(Exception):
    """What is wrong with the input, for the user."""


class Storage:
    """Bytes of a storage, which may come after the tensors that use it."""

    def __init__(self, code=None, data=None):
        self.code, self.data = code, data


CODES = {"FloatStorage": "f", "DoubleStorage": "d", "LongStorage": "q", "IntStorage": "i"}


class Tensor:
    def __init__(self, storage, offset, shape, stride):
        self.storage, self.offset, self.shape, self.stride = storage, offset, tuple(shape), tuple(stride)

    def floats(self):
        """Values in row-major order as 32-bit floats."""
        if self.storage.code not in ("f", "d"):
            raise Refused(f"a tensor of type '{self.storage.code}', expected 32-bit or 64-bit floats")
        data = array.array(self.storage.code)
        data.frombytes(self.storage.data)
        contiguous, size = [], 1
        for n in reversed(self.shape):
            contiguous.insert(0, size)
            size *= n
        if all(n == 1 or have == want for n, have, want in zip(self.shape, self.stride, contiguous)):
            values = data[self.offset:self.offset + size]
        else:
            places = [self.offset]
            for n, step in zip(self.shape, self.stride):
                places = [place + i * step for place in places for i in range(n)]
            values = array.array(self.storage.code, (data[place] for place in places))
        if len(values) != size:
            raise Refused("a tensor reaches beyond its storage")
        return values if self.storage.code == "f" else array.array("f", values)


class Inert:
    """Stands for an object of a class that is not loaded: what the file says about it, and no more."""

    def __new__(cls, *args, **kwargs):  # pickles often make objects without calling __init__
        self = super().__new__(cls)
        self.args, self.state, self.items = (*args, *kwargs.values()), None, []
        return self

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        self.state = state

    def __setitem__(self, key, value):
        self.items.append((key, value))

    def append(self, value):
        self.items.append((len(self.items), value))

    def extend(self, values):
        for value in values:
            self.append(value)

    def __call__(self, *args, **kwargs):
        return Inert(*args, **kwargs)


class Reader(pickle.Unpickler):
    """Unpickles containers, numbers, texts and tensors; everything else becomes Inert. Imports nothing."""

    def __init__(self, file, storage_of=None):
        super().__init__(file)
        self.storage_of = storage_of

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, stride, *rest: Tensor(storage, offset, shape, stride)
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda data, *rest: data
        if module == "torch.storage" and name == "_load_from_bytes":
            return lambda data: read(data)
        if module == "torch" and name.endswith("Storage"):
            return name
        if module == "torch" and name == "Size":
            return tuple
        return Inert

    def persistent_load(self, pid):
        if self.storage_of is None or not isinstance(pid, tuple) or len(pid) < 3 or pid[0] != "storage":
            raise Refused("the file refers to something outside of itself")
        return self.storage_of(pid)


def code_of(kind):
    return CODES.get(kind if isinstance(kind, str) else "", kind if isinstance(kind, str) else "unknown")


def read_zip(data):
    """torch.save since 1.6, and TorchScript."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    names = archive.namelist()
    pickles = [name for name in names if name.endswith("/data.pkl") or name == "data.pkl"]
    if len(pickles) != 1:
        raise Refused("a zip archive without the data.pkl of PyTorch")
    folder = pickles[0][:-len("data.pkl")]
    storages = {}

    def storage_of(pid):
        _, kind, key, *_ = pid
        if key not in storages:
            storages[key] = Storage(code_of(kind), archive.read(f"{folder}data/{key}"))
        return storages[key]

    return Reader(io.BytesIO(archive.read(pickles[0])), storage_of).load()


def read_legacy(file):
    """torch.save before 1.6: pickles one after the other, then the storages."""
    for _ in range(2):  # protocol, system
        Reader(file).load()
    storages = {}

    def storage_of(pid):
        _, kind, key, *_ = pid
        return storages.setdefault(key, Storage(code_of(kind)))

    result = Reader(file, storage_of).load()
    for key in Reader(file).load():
        storage = storages[key]
        count = struct.unpack("<q", file.read(8))[0]
        if storage.code not in array.typecodes:
            raise Refused(f"storages of type '{storage.code}' are not read")
        storage.data = file.read(count * array.array(storage.code).itemsize)
    return result


def read(data):
    if data.startswith(b"PK"):
        return read_zip(data)
    file = io.BytesIO(data)
    first = Reader(file).load()
    if first == 0x1950A86A20F9469CFC6C:  # torch.save's magic number
        return read_legacy(file)
    return first


def tensors(value, prefix=""):
    """(name, tensor) of everything below a value, in its order; modules are seen through."""
    if isinstance(value, Tensor):
        yield prefix, value
    elif isinstance(value, dict):
        parts = [p for p in ("_parameters", "_buffers", "_modules") if p in value]
        for part in parts:
            yield from tensors(value[part], prefix)
        for key, inner in value.items():
            if key not in parts:
                yield from tensors(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, Inert):
        for inner in (*value.args, value.state, dict(value.items)):
            yield from tensors(inner["state"] if isinstance(inner, dict) and "module_src" in inner else inner, prefix)
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            yield from tensors(inner, f"{prefix}.{i}" if prefix else str(i))
