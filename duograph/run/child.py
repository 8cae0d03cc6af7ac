"""What multiprocessing executes in a process that it starts anew, in place of the program itself."""

from . import execute_again

execute_again(globals())
