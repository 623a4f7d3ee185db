; setup.exe: installs for one user, without administrator rights. Built by ../windows_installer.py,
; which writes facts.nsh: names, version, files, and what the program opens.
;
;   /S           no window; what is there is updated, else installed
;   /D=FOLDER    where to (last, without quotes); what is there is updated where it is
;   /DESKTOP     with a shortcut on the desktop
; The uninstaller keeps models, videos, takes and settings unless told otherwise:
;   /S /MODELS=remove /VIDEOS=remove /TAKES=remove /SETTINGS=remove
; Ends with 0: done, 1: cancelled, 2: nothing was changed, 3: this Windows will not do, 4: in use.
;
; All files are in one folder below the chosen one, so that a version is replaced as a whole, and
; nothing else that lies in the chosen folder is ever touched.

Unicode true
!include facts.nsh
!include MUI2.nsh
!include FileFunc.nsh
!include WinVer.nsh
!include x64.nsh
!include Win\COM.nsh
!include Win\Propkey.nsh

!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\${APP_ID}"
!define CLASSES "Software\Classes"
!define MEDIA_ID "${APP_ID}.Media"
!define CAPABILITIES "Software\${NAME}\Capabilities"
!define APP_PATH "Software\Microsoft\Windows\CurrentVersion\App Paths\Magi.exe"
; Version 1809, the oldest that Qt runs on; on Arm, the first that runs x64 programs.
!define OLDEST_BUILD 17763
!define OLDEST_ARM_BUILD 22000

Name "${NAME}"
BrandingText "${NAME} ${VERSION}"
OutFile "${OUT}"
InstallDir "$LOCALAPPDATA\Programs\${NAME}"
RequestExecutionLevel user
ManifestDPIAware true
ManifestSupportedOS Win10
SetCompressor /SOLID lzma
SetCompressorDictSize 64
CRCCheck force
ShowInstDetails nevershow
ShowUninstDetails nevershow
AutoCloseWindow true
AllowSkipFiles off
VIProductVersion "${NUMBERS}"
VIAddVersionKey ProductName "${NAME}"
VIAddVersionKey ProductVersion "${VERSION}"
VIAddVersionKey FileVersion "${VERSION}"
VIAddVersionKey FileDescription "${NAME}"
VIAddVersionKey CompanyName "${PUBLISHER}"
VIAddVersionKey LegalCopyright "${LICENSE}"
!ifdef SIGN
  !finalize '${SIGN} "%1"'
  !uninstfinalize '${SIGN} "%1"'
!endif

Var WithDesktop
Var FolderField
Var BrowseButton
Var DesktopBox
Var Look
Var ModelsBox
Var VideosBox
Var TakesBox
Var SettingsBox
Var Also
Var Here

!define MUI_ICON "${ICON}"
!define MUI_UNICON "${ICON}"
!define MUI_CUSTOMFUNCTION_ABORT onCancel
Page custom choose chosen
!insertmacro MUI_PAGE_INSTFILES
UninstPage custom un.choose un.chosen
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE English
!insertmacro MUI_LANGUAGE SimpChinese
!include strings.nsh

!macro PREPARE
  SetShellVarContext current
  SetRegView 64
!macroend

; --- what it looks at first ---------------------------------------------------------------------

Function .onInit
  !insertmacro PREPARE
  StrCpy $0 "no"
  ${If} ${IsNativeAMD64}
  ${AndIf} ${AtLeastWin10}
  ${AndIf} ${AtLeastBuild} ${OLDEST_BUILD}
    StrCpy $0 "yes"
  ${ElseIf} ${IsNativeARM64}
  ${AndIf} ${AtLeastBuild} ${OLDEST_ARM_BUILD}
    StrCpy $0 "yes"
  ${EndIf}
  ${If} $0 == "no"
    MessageBox MB_OK|MB_ICONSTOP "$(TooOld)" /SD IDOK
    SetErrorLevel 3
    Quit
  ${EndIf}
  System::Call 'kernel32::CreateMutexW(p 0, i 0, w "${APP_ID}.Setup") p .r1 ?e'
  Pop $0
  ${If} $0 = 183 ; ERROR_ALREADY_EXISTS
    MessageBox MB_OK|MB_ICONEXCLAMATION "$(Running)" /SD IDOK
    SetErrorLevel 4
    Quit
  ${EndIf}
  ; Where it is: a second one would never be removed. Where it was, unless /D= says otherwise.
  ReadRegStr $0 HKCU "${UNINSTALL_KEY}" "InstallLocation"
  ${If} $0 != ""
    ${If} ${FileExists} "$0\program\manifest.json"
    ${OrIf} $INSTDIR == "$LOCALAPPDATA\Programs\${NAME}"
      StrCpy $INSTDIR $0
    ${EndIf}
  ${EndIf}
  StrCpy $WithDesktop 0
  ${GetParameters} $0
  ClearErrors
  ${GetOptions} $0 "/DESKTOP" $1
  ${IfNot} ${Errors}
    StrCpy $WithDesktop 1
  ${EndIf}
  ${If} ${FileExists} "$DESKTOP\${NAME}.lnk"
    StrCpy $WithDesktop 1
  ${EndIf}
FunctionEnd

Function onCancel
  SetErrorLevel 1
FunctionEnd

; --- the one page -------------------------------------------------------------------------------

Function choose
  !insertmacro MUI_HEADER_TEXT "$(PageTitle)" "$(PageSubtitle)"
  nsDialogs::Create 1018
  Pop $0
  ${NSD_CreateLabel} 0 0 100% 24u "$(PageText)"
  Pop $0
  ${NSD_CreateDirRequest} 0 30u 230u 13u "$INSTDIR"
  Pop $FolderField
  ${NSD_CreateBrowseButton} 236u 29u 64u 15u "$(Browse)"
  Pop $BrowseButton
  ${NSD_OnClick} $BrowseButton browse
  ${NSD_CreateCheckbox} 0 54u 100% 12u "$(DesktopShortcut)"
  Pop $DesktopBox
  ${If} $WithDesktop = 1
    ${NSD_Check} $DesktopBox
  ${EndIf}
  ${If} ${FileExists} "$INSTDIR\program\manifest.json"
    EnableWindow $FolderField 0
    EnableWindow $BrowseButton 0
    ${NSD_CreateLabel} 0 78u 100% 36u "$(PageUpdate)"
    Pop $0
  ${EndIf}
  nsDialogs::Show
FunctionEnd

Function browse
  ${NSD_GetText} $FolderField $0
  nsDialogs::SelectFolderDialog "$(ChooseFolder)" $0
  Pop $0
  ${If} $0 != error
    ${NSD_SetText} $FolderField $0
  ${EndIf}
FunctionEnd

Function chosen
  ${NSD_GetText} $FolderField $INSTDIR
  ${NSD_GetState} $DesktopBox $WithDesktop
  Call checkFolder
  ${If} $0 != ""
    MessageBox MB_OK|MB_ICONEXCLAMATION $0
    Abort
  ${EndIf}
FunctionEnd

; Leaves in $0 what is wrong with $INSTDIR, or nothing. A folder with other things in it gets one of
; ours inside.
Function checkFolder
  ${IfNot} ${FileExists} "$INSTDIR\program\manifest.json"
    FindFirst $1 $2 "$INSTDIR\*"
    StrCpy $3 "empty"
    ${DoUntil} $2 == ""
      ${If} $2 != "."
      ${AndIf} $2 != ".."
        StrCpy $3 "used"
      ${EndIf}
      FindNext $1 $2
    ${Loop}
    FindClose $1
    ${GetFileName} $INSTDIR $2
    ${If} $3 == "used"
    ${AndIf} $2 != "${NAME}"
      StrCpy $INSTDIR "$INSTDIR\${NAME}"
    ${EndIf}
  ${EndIf}
  ClearErrors
  CreateDirectory "$INSTDIR\program.new"
  ${If} ${Errors}
    StrCpy $0 "$(NotWritable)"
    Return
  ${EndIf}
  RMDir "$INSTDIR\program.new"
  ${GetRoot} $INSTDIR $1
  ${DriveSpace} "$1\" "/D=F /S=M" $2
  ${If} $2 < ${SIZE_MB}
    StrCpy $0 "$(NoSpace)"
    Return
  ${EndIf}
  StrCpy $0 ""
FunctionEnd

; --- installing ---------------------------------------------------------------------------------

Section
  !insertmacro PREPARE
  ${If} ${Silent}
    Call checkFolder
    ${If} $0 != ""
      SetErrorLevel 2
      Quit
    ${EndIf}
  ${EndIf}
  ; Beside what is there, which is replaced only by something whole.
  RMDir /r "$INSTDIR\program.new"
  SetOutPath "$INSTDIR\program.new"
  ClearErrors
  File /r "${BUNDLE}\*"
  WriteUninstaller "$INSTDIR\program.new\uninstall.exe"
  SetOutPath $TEMP
  ${If} ${Errors}
    RMDir /r "$INSTDIR\program.new"
    MessageBox MB_OK|MB_ICONSTOP "$(NotDone)" /SD IDOK
    SetErrorLevel 2
    Quit
  ${EndIf}
  RMDir /r "$INSTDIR\program.old"
  ${If} ${FileExists} "$INSTDIR\program\*"
    again:
    ClearErrors
    Rename "$INSTDIR\program" "$INSTDIR\program.old"
    ${If} ${Errors}
      MessageBox MB_RETRYCANCEL|MB_ICONEXCLAMATION "$(InUse)" /SD IDCANCEL IDRETRY again
      RMDir /r "$INSTDIR\program.new"
      SetErrorLevel 4
      Quit
    ${EndIf}
  ${EndIf}
  ClearErrors
  Rename "$INSTDIR\program.new" "$INSTDIR\program"
  ${If} ${Errors}
    Rename "$INSTDIR\program.old" "$INSTDIR\program"
    MessageBox MB_OK|MB_ICONSTOP "$(NotDone)" /SD IDOK
    SetErrorLevel 2
    Quit
  ${EndIf}
  RMDir /r "$INSTDIR\program.old"
  Call addShortcuts
  Call addAssociations
  Call addToApps
  System::Call 'shell32::SHChangeNotify(i 0x08000000, i 0, p 0, p 0)' ; associations have changed
SectionEnd

Function .onInstSuccess
  ${IfNot} ${Silent}
    SetOutPath $PROFILE
    Exec '"$INSTDIR\program\Magi.exe"'
  ${EndIf}
FunctionEnd

; With the identity that the program's windows carry: then a pinned shortcut is their button.
!macro SHORTCUT place
  CreateShortCut "${place}" "$INSTDIR\program\Magi.exe" "" "$INSTDIR\program\Magi.exe" 0 \
    SW_SHOWNORMAL "" "$(Comment)"
  !insertmacro ComHlpr_CreateInProcInstance ${CLSID_ShellLink} ${IID_IShellLink} r0 ""
  ${If} $0 P<> 0
    ${IUnknown::QueryInterface} $0 '("${IID_IPersistFile}",.r1)'
    ${If} $1 P<> 0
      ${IPersistFile::Load} $1 '("${place}", ${STGM_READWRITE})'
      ${IUnknown::QueryInterface} $0 '("${IID_IPropertyStore}",.r2)'
      ${If} $2 P<> 0
        System::Call '*(&w64 "${APP_ID}") p .r5'
        System::Call '*${SYSSTRUCT_PROPERTYKEY}(${PKEY_AppUserModel_ID})p.r3'
        System::Call '*${SYSSTRUCT_PROPVARIANT}(${VT_LPWSTR},,p r5)p.r4'
        ${IPropertyStore::SetValue} $2 '($3,$4)'
        ${IPropertyStore::Commit} $2 ""
        System::Free $3
        System::Free $4
        System::Free $5
        ${IUnknown::Release} $2 ""
        ${IPersistFile::Save} $1 '("${place}",1)'
      ${EndIf}
      ${IUnknown::Release} $1 ""
    ${EndIf}
    ${IUnknown::Release} $0 ""
  ${EndIf}
!macroend

Function addShortcuts
  SetOutPath $PROFILE ; where programs start from
  !insertmacro SHORTCUT "$SMPROGRAMS\${NAME}.lnk"
  ${If} $WithDesktop = 1
    !insertmacro SHORTCUT "$DESKTOP\${NAME}.lnk"
  ${Else}
    Delete "$DESKTOP\${NAME}.lnk"
  ${EndIf}
  SetOutPath $TEMP
FunctionEnd

!macro OPENS key
  WriteRegStr HKCU "${key}" "FriendlyAppName" "${NAME}"
  WriteRegStr HKCU "${key}\DefaultIcon" "" "$INSTDIR\program\Magi.exe,0"
  WriteRegStr HKCU "${key}\shell\open" "FriendlyAppName" "${NAME}"
  WriteRegStr HKCU "${key}\shell\open\command" "" '"$INSTDIR\program\Magi.exe" "%1"'
!macroend

!macro ASSOCIATE suffix
  WriteRegStr HKCU "${CLASSES}\.${suffix}\OpenWithProgids" "${MEDIA_ID}" ""
  WriteRegStr HKCU "${CLASSES}\Applications\Magi.exe\SupportedTypes" ".${suffix}" ""
  WriteRegStr HKCU "${CAPABILITIES}\FileAssociations" ".${suffix}" "${MEDIA_ID}"
!macroend

; Offered under "Open with", and in Windows' list of default programs; nothing is taken over.
Function addAssociations
  WriteRegStr HKCU "${CLASSES}\${MEDIA_ID}" "" "$(MediaFile)"
  !insertmacro OPENS "${CLASSES}\${MEDIA_ID}"
  !insertmacro OPENS "${CLASSES}\Applications\Magi.exe"
  WriteRegStr HKCU "${CAPABILITIES}" "ApplicationName" "${NAME}"
  WriteRegStr HKCU "${CAPABILITIES}" "ApplicationDescription" "$(Comment)"
  WriteRegStr HKCU "Software\RegisteredApplications" "${NAME}" "${CAPABILITIES}"
  !insertmacro EACH_SUFFIX ASSOCIATE
FunctionEnd

Function addToApps
  WriteRegStr HKCU "${APP_PATH}" "" "$INSTDIR\program\Magi.exe"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayName" "${NAME}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayIcon" "$INSTDIR\program\Magi.exe,0"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "Publisher" "${PUBLISHER}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "UninstallString" '"$INSTDIR\program\uninstall.exe"'
  WriteRegStr HKCU "${UNINSTALL_KEY}" "QuietUninstallString" '"$INSTDIR\program\uninstall.exe" /S'
  WriteRegStr HKCU "${UNINSTALL_KEY}" "ModifyPath" '"$INSTDIR\program\Magi.exe" --setup'
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "NoRepair" 1
  ${GetSize} "$INSTDIR\program" "/S=0K" $0 $1 $2
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "EstimatedSize" $0
FunctionEnd

; --- removing -----------------------------------------------------------------------------------

!macro WISH option name
  ClearErrors
  ${GetOptions} $R0 "${option}" $R1
  ${IfNot} ${Errors}
  ${AndIf} $R1 == "remove"
    StrCpy $Also "$Also --also ${name}"
  ${EndIf}
!macroend

Function un.onInit
  !insertmacro PREPARE
  ${GetParameters} $R0
  StrCpy $Also ""
  !insertmacro WISH "/MODELS=" models
  !insertmacro WISH "/VIDEOS=" videos
  !insertmacro WISH "/TAKES=" takes
  !insertmacro WISH "/SETTINGS=" settings
FunctionEnd

!macro KEEP variable place text
  ${NSD_CreateCheckbox} 0 ${place}u 100% 12u "${text}"
  Pop ${variable}
  ${NSD_Check} ${variable}
!macroend

Function un.choose
  !insertmacro MUI_HEADER_TEXT "$(KeepTitle)" "$(KeepSubtitle)"
  InitPluginsDir
  Banner::show "$(Looking)"
  StrCpy $Look "$PLUGINSDIR\here.ini"
  ExecWait '"$INSTDIR\python\pythonw.exe" -I "$INSTDIR\app" --describe "$Look"'
  Banner::destroy
  nsDialogs::Create 1018
  Pop $0
  ReadINIStr $Here $Look "here" "models"
  StrCpy $0 "$(KeepModels)"
  ${If} $Here != ""
    StrCpy $0 "$0: $Here"
  ${EndIf}
  !insertmacro KEEP $ModelsBox 4 "$0"
  ReadINIStr $Here $Look "here" "videos"
  StrCpy $0 "$(KeepVideos)"
  ${If} $Here != ""
    StrCpy $0 "$0: $Here"
  ${EndIf}
  !insertmacro KEEP $VideosBox 24 "$0"
  ReadINIStr $Here $Look "here" "takes"
  StrCpy $0 "$(KeepTakes)"
  ${If} $Here != ""
    StrCpy $0 "$0: $Here"
  ${EndIf}
  !insertmacro KEEP $TakesBox 44 "$0"
  !insertmacro KEEP $SettingsBox 64 "$(KeepSettings)"
  nsDialogs::Show
FunctionEnd

!macro ASKED variable name
  ${NSD_GetState} ${variable} $0
  ${If} $0 != ${BST_CHECKED}
    StrCpy $Also "$Also --also ${name}"
  ${EndIf}
!macroend

Function un.chosen
  StrCpy $Also ""
  !insertmacro ASKED $ModelsBox models
  !insertmacro ASKED $VideosBox videos
  !insertmacro ASKED $TakesBox takes
  !insertmacro ASKED $SettingsBox settings
FunctionEnd

; A key of everybody's: only what is empty goes.
!macro DROP_EMPTY key
  StrCpy $0 0
  EnumRegKey $1 HKCU "${key}" 0
  ClearErrors
  EnumRegValue $2 HKCU "${key}" 0
  ${If} ${Errors}
  ${AndIf} $1 == ""
    DeleteRegKey HKCU "${key}"
  ${EndIf}
!macroend

!macro DISSOCIATE suffix
  DeleteRegValue HKCU "${CLASSES}\.${suffix}\OpenWithProgids" "${MEDIA_ID}"
  !insertmacro DROP_EMPTY "${CLASSES}\.${suffix}\OpenWithProgids"
  !insertmacro DROP_EMPTY "${CLASSES}\.${suffix}"
!macroend

Section Uninstall
  !insertmacro PREPARE
  SetOutPath $TEMP
  again:
  ClearErrors
  ExecWait '"$INSTDIR\python\pythonw.exe" -I "$INSTDIR\app" --remove$Also' $0
  ${If} ${Errors}
    StrCpy $0 1
  ${EndIf}
  ${If} $0 = ${BUSY}
    MessageBox MB_RETRYCANCEL|MB_ICONEXCLAMATION "$(InUse)" /SD IDCANCEL IDRETRY again
    SetErrorLevel 4
    Quit
  ${ElseIf} $0 <> 0 ; a damaged installation: what the set-up made goes all the same
    RMDir /r "$LOCALAPPDATA\${DATA_FOLDER}\environments"
  ${EndIf}
  Delete "$SMPROGRAMS\${NAME}.lnk"
  Delete "$DESKTOP\${NAME}.lnk"
  !insertmacro EACH_SUFFIX DISSOCIATE
  DeleteRegKey HKCU "${CLASSES}\${MEDIA_ID}"
  DeleteRegKey HKCU "${CLASSES}\Applications\Magi.exe"
  DeleteRegKey HKCU "Software\${NAME}"
  DeleteRegValue HKCU "Software\RegisteredApplications" "${NAME}"
  DeleteRegKey HKCU "${APP_PATH}"
  DeleteRegKey HKCU "${UNINSTALL_KEY}"
  System::Call 'shell32::SHChangeNotify(i 0x08000000, i 0, p 0, p 0)'
  ${GetParent} $INSTDIR $0
  RMDir /r $INSTDIR
  RMDir /r "$0\program.old"
  RMDir /r "$0\program.new"
  RMDir $0
SectionEnd
