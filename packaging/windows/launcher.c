/* Starts the program with the Python that was installed beside it.

   Magi.exe (window):      python\pythonw.exe -I app ARGUMENTS, and ends.
   magi.com (-DCONSOLE):   python\python.exe -I app --magi ARGUMENTS, and waits for its end.

   Built without the C library: nothing but kernel32 and user32, so that it starts at once. */

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#define LONGEST 32768

#ifdef CONSOLE
#define PYTHON L"\\python\\python.exe"
#define BEFORE L" --magi"
#else
#define PYTHON L"\\python\\pythonw.exe"
#define BEFORE L""
#endif

static WCHAR folder[LONGEST], python[LONGEST], command[4 * LONGEST];

/* What follows the program's own name, as it was typed. */
static const WCHAR *arguments(const WCHAR *line) {
    BOOL quoted = FALSE;
    for (; *line && (quoted || (*line != L' ' && *line != L'\t')); line++)
        if (*line == L'"') quoted = !quoted;
    return line;
}

static UINT fail(void) {
    BOOL chinese = PRIMARYLANGID(GetUserDefaultUILanguage()) == LANG_CHINESE;
    const WCHAR *text = chinese ? L"Magi Desktop 已损坏。请重新运行安装程序。\n"
                                : L"Magi Desktop is damaged. Run its installer again.\n";
#ifdef CONSOLE
    DWORD written;
    WriteConsoleW(GetStdHandle(STD_ERROR_HANDLE), text, lstrlenW(text), &written, NULL);
#else
    MessageBoxW(NULL, text, L"Magi Desktop", MB_ICONERROR);
#endif
    return 1;
}

#ifdef CONSOLE
/* Ctrl-C is for the program: it has a video to keep. This process only waits for it. */
static BOOL WINAPI interrupted(DWORD event) {
    return event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT;
}
#endif

static UINT run(void) {
    STARTUPINFOW startup;
    PROCESS_INFORMATION process;
    DWORD length = GetModuleFileNameW(NULL, folder, LONGEST), code = 0;
    if (length == 0 || length >= LONGEST) return fail();
    while (length > 0 && folder[length - 1] != L'\\') length--;
    if (length > 0) folder[--length] = 0;
    lstrcpyW(python, folder);
    if (length + lstrlenW(PYTHON) >= LONGEST) return fail();
    lstrcatW(python, PYTHON);
    lstrcpyW(command, L"\"");
    lstrcatW(command, python);
    lstrcatW(command, L"\" -I \"");
    lstrcatW(command, folder);
    lstrcatW(command, L"\\app\"" BEFORE);
    lstrcatW(command, arguments(GetCommandLineW()));
    GetStartupInfoW(&startup);
#ifdef CONSOLE
    SetConsoleCtrlHandler(interrupted, TRUE);
#endif
    if (!CreateProcessW(python, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process))
        return fail();
#ifdef CONSOLE
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
#else
    AllowSetForegroundWindow(process.dwProcessId);
#endif
    return code;
}

void start(void) { ExitProcess(run()); }
