/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/page_words.h"

#include <string.h>
#include <strings.h>

/* clang-format off */
static const char *const words[SAYS_COUNT][PAGE_LANGUAGES] = {
    [SAYS_ABOUT_IT]      = {"About it", "关于该应用"},
    [SAYS_ALLOW]         = {"Allow", "允许"},
    [SAYS_ALLOW_ACCESS]  = {"Allow access?", "允许访问？"},
    [SAYS_ALLOW_DEVICE]  = {"Allow this device?", "允许此设备？"},
    [SAYS_ANSWERED]      = {"This sign-in was answered already or took too long. Go back to the application and begin again.", "此次登录已完成或已超时。请返回应用重新开始。"},
    [SAYS_AS]            = {"Signed in as", "当前账户："},
    [SAYS_BACK]          = {"To the console", "前往控制台"},
    [SAYS_CLOSE]         = {"You can close this page.", "您可以关闭此页面。"},
    [SAYS_CODE]          = {"Code", "代码"},
    [SAYS_CODE_GOES]     = {"Does your device show this code?", "您的设备是否显示此代码？"},
    [SAYS_CODE_STRANGER] = {"If somebody sent you this code, do not go on: they would be signed in as you.", "如果此代码是他人发给您的，请勿继续：对方将以您的身份登录。"},
    [SAYS_DENY]          = {"Deny", "拒绝"},
    [SAYS_DEVICE_DENIED] = {"The device is refused", "已拒绝该设备"},
    [SAYS_DEVICE_DONE]   = {"The device is signed in", "设备已登录"},
    [SAYS_DEVICE_IS]     = {"will be signed in as", "将以此身份登录："},
    [SAYS_DEVICE_MAY]    = {"It will be able to", "它将能够"},
    [SAYS_DEVICE_SIGN_IN] = {"Sign a device in", "登录设备"},
    [SAYS_DEVICE_TYPE]   = {"Type the code that the device shows.", "请输入设备上显示的代码。"},
    [SAYS_FAILED]        = {"This did not work", "无法完成"},
    [SAYS_FAILED_HELP]   = {"Go back to the application and begin again. If it happens again, tell its makers what stands here:", "请返回应用重新开始。如果问题再次出现，请将以下信息告知应用的开发者："},
    [SAYS_FOOTER]        = {"Every sign-in is recorded in the audit log.", "每次登录都会记入审计日志。"},
    [SAYS_GO_ON]         = {"Go on", "继续"},
    [SAYS_NOT_NOW]       = {"Stay signed in", "保持登录"},
    [SAYS_OUTSIDE_AWAY]  = {"The other side does not answer at the moment. Try again in a few minutes.", "对方暂时没有响应，请过几分钟再试。"},
    [SAYS_OUTSIDE_CANCELLED] = {"It was cancelled or refused there. Try again, or sign in another way.", "登录在对方处被取消或拒绝。您可以重试，或改用其他方式登录。"},
    [SAYS_OUTSIDE_FAILED] = {"Signing in did not work", "登录未成功"},
    [SAYS_OUTSIDE_LINK_FAILED] = {"The account was not linked", "账户未能关联"},
    [SAYS_OUTSIDE_OVER]  = {"This sign-in was finished already, took too long or began in another browser. Begin again.", "此次登录已完成、已超时，或是在其他浏览器中开始的。请重新开始。"},
    [SAYS_OUTSIDE_REFUSED] = {"Begin again. If it happens again, tell an administrator what stands here:", "请重新开始。如果问题再次出现，请将以下信息告知管理员："},
    [SAYS_OUTSIDE_SEVERAL] = {"This account cannot be matched with one user here. Tell an administrator what stands here:", "无法将此账户对应到这里的某一个用户。请将以下信息告知管理员："},
    [SAYS_OUTSIDE_TAKEN] = {"There is a user of your name here already. If that is you, sign in as before and link this account in “My account”. Otherwise ask an administrator.", "这里已有与您同名的用户。如果那就是您，请用原来的方式登录，然后在“我的账户”中关联此账户；否则请联系管理员。"},
    [SAYS_OUTSIDE_TO_ACCOUNT] = {"Back to my account", "返回我的账户"},
    [SAYS_OUTSIDE_TO_SIGN_IN] = {"Back to the sign-in", "返回登录"},
    [SAYS_OUTSIDE_UNLINKED] = {"No user here belongs to this account yet. Sign in as before and link it in “My account”, or ask an administrator.", "这里还没有用户关联此账户。请用原来的方式登录，然后在“我的账户”中关联；或联系管理员。"},
    [SAYS_PRIVACY]       = {"Its privacy policy", "隐私政策"},
    [SAYS_SCOPE_DRUN]    = {"act on this platform as you, with all your rights", "以您的身份在本平台操作，并拥有您的全部权限"},
    [SAYS_SCOPE_EMAIL]   = {"see your mail address", "查看您的电子邮箱"},
    [SAYS_SCOPE_GROUPS]  = {"see the groups that you are in", "查看您所在的用户组"},
    [SAYS_SCOPE_OFFLINE] = {"do so also when you are not here", "在您离开后继续访问"},
    [SAYS_SCOPE_OPENID]  = {"know who you are", "知道您是谁"},
    [SAYS_SCOPE_PROFILE] = {"see your name", "查看您的姓名"},
    [SAYS_SIGN_OUT]      = {"Sign out", "退出登录"},
    [SAYS_SIGN_OUT_ASK]  = {"Sign out?", "退出登录？"},
    [SAYS_SIGN_OUT_TEXT] = {"An application asks to end your session. You will be signed out of drun and of the applications that you opened with it.", "某个应用请求结束您的会话。您将退出 drun 以及通过它打开的应用。"},
    [SAYS_SIGNED_OUT]    = {"Signed out", "已退出登录"},
    [SAYS_TERMS]         = {"Its terms", "服务条款"},
    [SAYS_TOO_MANY_CODES] = {"Too many wrong codes. Wait a minute and try again.", "错误代码次数过多，请稍后重试。"},
    [SAYS_TOLD_AT]       = {"The answer goes to", "结果将发送至"},
    [SAYS_TRY_AGAIN]     = {"Try again", "重试"},
    [SAYS_WANTS_TO]      = {"wants to", "请求："},
    [SAYS_WRONG_CODE]    = {"No device is waiting with this code. Codes hold for ten minutes.", "没有设备正在等待此代码。代码有效期为十分钟。"},
};
/* clang-format on */

static const char *const prefix[PAGE_LANGUAGES] = {[PAGE_ENGLISH] = "en", [PAGE_CHINESE] = "zh"};

const char *page_word(enum page_language language, enum page_says what)
{
    return words[what][language];
}

static enum page_language known(const char *text)
{
    for (enum page_language each = 0; each < PAGE_LANGUAGES; each++)
        if (strncasecmp(text, prefix[each], 2) == 0 &&
            (text[2] == '\0' || strchr("-,; ", text[2]) != NULL))
            return each;
    return PAGE_LANGUAGES;
}

enum page_language page_language_of(const char *chosen, const char *accepted)
{
    enum page_language found = chosen == NULL ? PAGE_LANGUAGES : known(chosen);

    /* Browsers write them in the order of preference: the weights (RFC 9110 section 12.4.2) only
     * say it again. */
    while (found == PAGE_LANGUAGES && accepted != NULL) {
        accepted += strspn(accepted, ", ");
        found = known(accepted);
        accepted = strchr(accepted, ',');
    }
    return found == PAGE_LANGUAGES ? PAGE_ENGLISH : found;
}
